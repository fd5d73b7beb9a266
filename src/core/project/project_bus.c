/* What records are called on a message bus, which stores one message of each
 * name: the same name is the same content, over retries, a crash and adoption.
 *
 * "<run>-<lane>-<seq>" is a whole segment. With a spool it says what the name
 * of its file says. Without one the run is a random number of this project's
 * own, as sequence numbers begin anew with each project and in each forked
 * child.
 *
 * A part of a segment has ".<first>-<last>" behind that: which of its records,
 * counted from 1. Of those in between some may have ended or stay behind, as
 * when others of their profile wait: then "-<hash>" tells which ones travel. */
#include "core/project/project_state.h"

#include "core/base/hash.h"
#include "core/os/random.h"

#include <inttypes.h>
#include <stdio.h>

void mp_project_begin_run(mp_project *project) {
    if (project->config.bus)
        project->run = mp_random_bits();
}

/* Once, as the segment, or its file, may become another. */
static void note_origin(const mp_project *project, mp_batch *batch) {
    const mp_segment *segment = batch->segment;
    const mp_place *place = &segment->place;
    const mp_batch_file *sealed = place->sealed;
    uint64_t first = segment->entries[0].seq;
    if (batch->origin.run != 0)
        return;
    batch->origin = (mp_origin){
        .run = place->run ? place->run : project->run,
        .seq = place->seq ? place->seq : first & MP_SEGMENT_SEQ,
        .first = first,
        .count = segment->count,
    };
    if (sealed) {
        batch->origin.run = sealed->run;
        batch->origin.seq = sealed->seq;
    }
}

static uint64_t place_of(const mp_batch *batch, uint32_t i) {
    return mp_batch_entry(batch, i)->seq - batch->origin.first + 1;
}

static uint64_t hash_places(const mp_batch *batch) {
    uint64_t hash = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        char text[24];
        int n = snprintf(text, sizeof text, "%" PRIu64, place_of(batch, i));
        hash = mp_hash(hash, text, (size_t)n);
    }
    return hash;
}

void mp_project_name_message(const mp_project *project, mp_lane_id lane,
                             mp_batch *batch, mp_request *request) {
    char *out = request->message_id;
    note_origin(project, batch);
    const mp_origin *origin = &batch->origin;
    size_t at =
        (size_t)snprintf(out, MP_MESSAGE_ID, "%016" PRIx64 "-%s-%012" PRIu64,
                         origin->run, mp_endpoints[lane].name, origin->seq);
    if (batch->count == origin->count)
        return;
    uint64_t first = place_of(batch, 0),
             last = place_of(batch, batch->count - 1);
    at += (size_t)snprintf(out + at, MP_MESSAGE_ID - at,
                           ".%" PRIu64 "-%" PRIu64, first, last);
    if (last - first + 1 != batch->count)
        snprintf(out + at, MP_MESSAGE_ID - at, "-%016" PRIx64,
                 hash_places(batch));
}
