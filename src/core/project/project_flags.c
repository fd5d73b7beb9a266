/* The feature flags of a project: made for the first client that wants
 * them. */
#include "core/project/project_state.h"

#include "core/base/text.h"

#include <stdlib.h>

mp_flags *mp_project_flags(mp_project *project) {
    return atomic_load_explicit(&project->flags, memory_order_acquire);
}

/* The one there is, else a new one. NULL: out of memory. */
static mp_flags *get_or_make(mp_project *project) {
    mp_flags *flags = mp_project_flags(project);
    if (flags)
        return flags;
    flags = mp_flags_new(project->config.token);
    mp_project_begin_change(project); /* a fork must find it, or not */
    mp_flags *other = mp_project_flags(project);
    if (!other)
        atomic_store(&project->flags, flags);
    mp_project_hold_at_forks(project);
    mp_project_configure_disk(project);
    mp_project_end_change(project);
    if (!other)
        return flags;
    mp_flags_free(flags);
    return other;
}

/* The directory for the definitions in the spool, for free(). */
static char *place_in_spool(const mp_project *project) {
    char *directory = mp_spool_directory(project->spool);
    char *place = directory ? mp_text_format("%s/flags", directory) : NULL;
    free(directory);
    return place;
}

mp_err mp_project_join_flags(mp_project *project, mp_flag_options *options,
                             char message[MP_MESSAGE]) {
    mp_flags *flags = get_or_make(project);
    char *place = project->spool ? place_in_spool(project) : NULL;
    mp_err err = MP_MEMORY;
    if (place) {
        options->path = place;
        options->shared = true;
    }
    if (flags && (place || !project->spool))
        err = mp_flags_join(flags, options, message);
    free(place);
    return err;
}

void mp_project_leave_flags(mp_project *project) {
    mp_flags_leave(mp_project_flags(project));
}
