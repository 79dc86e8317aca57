"""The analytics service: usage events, reports and anomalies."""
