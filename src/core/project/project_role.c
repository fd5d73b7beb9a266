/* Which thread does what for a project. */
#include "core/project/project_state.h"

mp_role mp_project_role(const mp_project *project) {
    return project->spool ||
                   atomic_load_explicit(&project->traced, memory_order_relaxed)
               ? MP_DISK
               : MP_SENDER;
}

bool mp_project_keeps_flags(mp_project *project) {
    mp_flags *flags = mp_project_flags(project);
    return flags && mp_flags_on_disk(flags);
}

static bool has_saves(mp_project *project) {
    mp_project_lock(project);
    bool has = project->saves.list != NULL;
    mp_project_unlock(project);
    return has;
}

bool mp_project_idle_for(mp_project *project, mp_role role) {
    if (role == MP_DISK && has_saves(project))
        return false;
    return mp_project_role(project) != role || mp_project_is_empty(project);
}

unsigned mp_project_threads(const mp_project *project) {
    if (project->config.manual)
        return 0;
    return MP_THREAD(MP_SENDER) | MP_THREAD(mp_project_role(project));
}

bool mp_project_needs_disk(mp_project *project) {
    return has_saves(project) ||
           (!project->config.manual && mp_project_keeps_flags(project));
}
