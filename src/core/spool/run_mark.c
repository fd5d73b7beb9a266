/* The marks of adopted runs with records whose order matters. */
#include "core/os/file.h"
#include "core/record/batch_file.h"
#include "core/spool/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Named like what was not finished, so that whoever adopts the run removes it.
 */
static const char mark[] = "adopted.new";

int mp_run_mark(int dir) {
    int fd, err = mp_file_create(dir, mark, &fd);
    mp_file_close(fd);
    return err == EEXIST ? 0 : err;
}

void mp_run_unmark(int dir) {
    mp_file_unlink(dir, mark);
}

bool mp_run_is_mark(const char *name) {
    return strcmp(name, mark) == 0;
}

bool mp_run_is_marked(int project, const char *name) {
    char path[MP_BATCH_FILE_NAME + sizeof mark];
    mp_file_info seen;
    snprintf(path, sizeof path, "%s/%s", name, mark);
    return mp_file_look(project, path, &seen) == 0;
}
