/* The accounting of records: counters that always balance, and reports of
 * what went wrong for whoever asks.
 *
 * accepted + adopted = delivered + rejected + dropped + queued + in_flight +
 *                      spooled
 *
 * The caller serialises every use. */
#ifndef MP_REPORT_H
#define MP_REPORT_H

#include "core/base/err.h"
#include "core/config/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mp_stats {
    uint64_t accepted;
    uint64_t delivered;
    uint64_t rejected;            /* refused by the API, each for good */
    uint64_t dropped_expired;     /* too old for the host, or for max_age */
    uint64_t dropped_overflow;    /* made room for newer ones */
    uint64_t dropped_evicted;     /* the same on disk, or removed by others */
    uint64_t dropped_quarantined; /* in a file that could not be read back */
    uint64_t queued;              /* in segments, not in a request */
    uint64_t in_flight;           /* in a request without a reply */
    uint64_t spooled;             /* only on disk */
    uint64_t adopted;             /* left by processes that died */
    uint64_t refused_full;        /* calls refused with queue_full */
    uint64_t retried;             /* records sent once more */
    uint64_t ambiguous;         /* batches that may have been applied already */
    uint64_t repaired;          /* values replaced, tokens left out */
    uint64_t truncated;         /* texts that Mixpanel cuts */
    uint64_t pending_dropped;   /* updates of users that were never released */
    uint64_t properties_failed; /* events without what a function was to add */
    uint64_t requests;
    uint64_t bytes_raw;     /* of request bodies before gzip */
    uint64_t bytes_sent;    /* of request bodies as sent */
    uint64_t queue_bytes;   /* in open, sealed and in-flight segments */
    uint64_t spooled_bytes; /* of files of spooled records */
    uint64_t quarantined;   /* files set aside as damaged */
    uint64_t foreign;       /* other projects with files in the spool */
    /* in runs that this process has not adopted, when it was looked last */
    uint64_t elsewhere_runs, elsewhere_files, elsewhere_bytes;
    uint64_t newer;       /* files and runs of a newer version in it */
    uint64_t spool_looks; /* for what dead processes left, each to its end */
    uint64_t spool_errors;
    int64_t oldest_ms;           /* age of the oldest record without outcome */
    char last_error[MP_MESSAGE]; /* "" when none */
    int64_t last_error_ms;       /* its age; see mp_project_stats */
} mp_stats;

typedef enum mp_report_outcome {
    MP_REPORT_DELIVERED,
    MP_REPORT_REJECTED,
    MP_REPORT_DROPPED,
    MP_REPORT_AMBIGUOUS, /* from here on they are not an end */
    MP_REPORT_PAUSED,
    MP_REPORT_STUCK,
    MP_REPORT_SPOOL,     /* of files; may concern no record */
    MP_REPORT_STATE,     /* of a user; concerns no record */
    MP_REPORT_PROPERTIES /* of a client's function; concerns no record */
} mp_report_outcome;

/* The outcome as Lua sees it, such as "rejected"; a static string. */
const char *mp_report_outcome_name(mp_report_outcome outcome);

enum {
    MP_REPORT_RECORDS = 20,      /* in one report, at the most */
    MP_REPORT_BYTES = 64 * 1024, /* of their JSON, at the most */
    MP_REPORT_INSERT_ID = 36 + 1
};

/* A record that a report shows. */
typedef struct mp_report_record {
    char *json; /* NULL, and len 0, where it did not fit */
    size_t len;
    uint64_t seq; /* the record's number within its project */
    char insert_id[MP_REPORT_INSERT_ID]; /* "" for profiles and groups */
    char field[64];
    char message[MP_MESSAGE];
} mp_report_record;

typedef struct mp_report {
    mp_report_outcome outcome;
    const char *endpoint; /* "/track"; static; "" when no record is meant */
    uint64_t count;       /* of records */
    int status;           /* of HTTP; 0: no reply */
    bool uncertain;       /* they may have been applied all the same */
    char message[MP_MESSAGE];
    bool whole;     /* shows every record, whatever that takes */
    uint32_t shown; /* of `records`; never more than `count` */
    uint32_t room;
    mp_report_record *records;
} mp_report;

/* A report with room to show records. Its `records` may stay NULL when
 * memory is short: the count is what must not be lost. */
void mp_report_show(mp_report *report, const char *json, size_t len,
                    const char *field, const char *message, uint64_t seq);
void mp_report_free(mp_report *report); /* what it holds */

/* A ring that grows up to a fixed size. When it is full, or memory is short,
 * reports of one outcome and endpoint are merged: counts are kept, single
 * records are not. With the level MP_REPORTS_EVERY it grows on instead. */
typedef struct mp_reports mp_reports;

mp_reports *mp_reports_new(void); /* NULL: out of memory */

/* Sees to it that there is room for a few: what finds none, nor one to merge it
 * with, is lost when memory is short. MP_MEMORY. */
mp_err mp_reports_prepare(mp_reports *reports);
void mp_reports_free(mp_reports *reports);
void mp_reports_clear(mp_reports *reports);

/* In a forked child: the same, and what it holds is not looked at. */
void mp_reports_abandon(mp_reports *reports);

/* Which reports are kept from now on; failures to begin with. */
void mp_reports_keep(mp_reports *reports, mp_report_level level);

/* True if reports for it should be `whole`. NULL is allowed. */
bool mp_reports_are_whole(const mp_reports *reports);

/* Takes over what the report holds. */
void mp_reports_add(mp_reports *reports, mp_report *report);

/* The oldest report, whose contents are now the caller's. */
bool mp_reports_take(mp_reports *reports, mp_report *report);

#endif
