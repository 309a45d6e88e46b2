"""Names that Grafana keeps: fixed, so that links, bookmarks and a second `apply` meet the same things."""

from grafana_foundation_sdk.models.dashboard import DataSourceRef

DATASOURCE_UID = "tocsin-influxdb"
DATASOURCE_NAME = "Tocsin InfluxDB"
DATASOURCE_TYPE = "influxdb"
FOLDER_UID = "tocsin"
FOLDER_TITLE = "Tocsin"
PLANT_UID = "tocsin-plant"
ASSET_UID = "tocsin-asset"
#: How panels, variables and annotations name the data source.
DATASOURCE = DataSourceRef(type_val=DATASOURCE_TYPE, uid=DATASOURCE_UID)
