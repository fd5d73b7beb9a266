--- What resty.stats counts, as metrics: the one list from which the metrics and
--- the status page are made. `key`: in the stats. `name`: of the Prometheus
--- family. `fold`: how the values of several workers become one; what only
--- grows (its name ends in _total) is summed. `label`: the value is a table,
--- whose keys are the values of this label. `default`: where there is none.
return {
  {
    key = "accepted",
    name = "mixpanel_records_accepted_total",
    help = "Records that a call took",
  },
  {
    key = "adopted",
    name = "mixpanel_records_adopted_total",
    help = "Records that processes which died had left in the spool",
  },
  {
    key = "delivered",
    name = "mixpanel_records_delivered_total",
    help = "Records that the API, or a bus, took",
  },
  {
    key = "rejected",
    name = "mixpanel_records_rejected_total",
    help = "Records that were refused for good",
  },
  {
    key = "dropped",
    name = "mixpanel_records_dropped_total",
    label = "reason",
    help = "Records that ended otherwise",
  },
  {
    key = "queued",
    name = "mixpanel_records_queued",
    fold = "sum",
    help = "Records that wait for a request",
  },
  {
    key = "in_flight",
    name = "mixpanel_records_in_flight",
    fold = "sum",
    help = "Records in a request or message without a reply",
  },
  {
    key = "spooled",
    name = "mixpanel_records_spooled",
    fold = "sum",
    help = "Records that wait on disk and not in memory",
  },
  {
    key = "retried",
    name = "mixpanel_records_retried_total",
    help = "Records sent once more",
  },
  {
    key = "queue_full",
    name = "mixpanel_calls_refused_total",
    help = "Calls refused because the queue was full",
  },
  {
    key = "ambiguous",
    name = "mixpanel_batches_ambiguous_total",
    help = "Batches that may have been applied already",
  },
  {
    key = "repaired",
    name = "mixpanel_values_repaired_total",
    help = "Values replaced to make valid JSON, and tokens left out",
  },
  {
    key = "truncated",
    name = "mixpanel_texts_truncated_total",
    help = "Texts and names over 255 bytes in events, which Mixpanel cuts",
  },
  {
    key = "left_out",
    name = "mixpanel_values_left_out_total",
    help = "Values of visitors that events were sent without",
  },
  {
    key = "held_dropped",
    name = "mixpanel_held_updates_dropped_total",
    help = "Held profile updates that were dropped",
  },
  {
    key = "properties_failed",
    name = "mixpanel_properties_failed_total",
    help = "Events without what the function properties was to add",
  },
  {
    key = "requests",
    name = "mixpanel_requests_total",
    help = "Requests to the API, or messages to a bus",
  },
  {
    key = "bytes_raw",
    name = "mixpanel_request_raw_bytes_total",
    help = "Bytes of their bodies before gzip",
  },
  {
    key = "bytes_sent",
    name = "mixpanel_request_sent_bytes_total",
    help = "Bytes of their bodies as sent",
  },
  {
    key = "queue_bytes",
    name = "mixpanel_queue_bytes",
    fold = "sum",
    help = "Bytes of records in memory",
  },
  {
    key = "spooled_bytes",
    name = "mixpanel_spooled_bytes",
    fold = "sum",
    help = "Bytes of the files of spooled records",
  },
  {
    key = "quarantined",
    name = "mixpanel_spool_files_quarantined_total",
    help = "Damaged files of the spool that were set aside",
  },
  {
    key = "spool_errors",
    name = "mixpanel_spool_errors_total",
    help = "Times that the disk failed or something in the spool was passed over",
  },
  {
    key = "spool_looks",
    name = "mixpanel_spool_looks_total",
    help = "Times that a process looked for what dead ones left in the spool",
  },
  {
    key = "foreign",
    name = "mixpanel_spool_foreign_projects",
    fold = "max", -- every worker sees the same directory
    help = "Other projects that have files in this spool",
  },
  {
    key = "elsewhere_runs",
    name = "mixpanel_spool_elsewhere_runs",
    fold = "max",
    help = "Runs of this project that wait in the spool and were not adopted",
  },
  {
    key = "elsewhere_files",
    name = "mixpanel_spool_elsewhere_files",
    fold = "max",
    help = "Batches in these runs",
  },
  {
    key = "elsewhere_bytes",
    name = "mixpanel_spool_elsewhere_bytes",
    fold = "max",
    help = "Bytes of these batches",
  },
  {
    key = "newer",
    name = "mixpanel_spool_newer_files",
    fold = "max",
    help = "Files and runs in this spool of a newer version, left as they are",
  },
  {
    key = "oldest_age",
    name = "mixpanel_oldest_record_age_seconds",
    fold = "max",
    default = 0,
    help = "Age of the oldest record without an outcome",
  },
  {
    key = "last_error_age",
    name = "mixpanel_last_error_age_seconds",
    fold = "min",
    help = "Time since something failed",
  },
}
