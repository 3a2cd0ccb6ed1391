"""The networks, one file a family; they must not know data, losses or loops."""
