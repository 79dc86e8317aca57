"""What was asked for, whatever the answer was."""

from prometheus_client import Counter

USAGE = Counter("analytics_usage_query_total", "Questions for events or for a user's use.")
REPORTS = Counter("analytics_report_query_total", "Questions for a provider's report.")
ANOMALIES = Counter("analytics_anomaly_query_total", "Questions for a provider's anomalies.")
