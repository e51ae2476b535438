"""The relay of a cell on Azure, as a function app: change feed and a timer around cell-lake."""
