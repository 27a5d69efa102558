"""The page: tabs made from CONDITIONS, widgets made from Params, and endpoints made from both."""
