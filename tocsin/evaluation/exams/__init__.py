"""The protocols, one each: which rows are healthy, which are anomalous, which count, and what others got."""
