#define _GNU_SOURCE /* getcwd allocates */
#include "core/os/path.h"

#include "core/base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int mp_path_absolute(const char *path, char **out) {
    *out = NULL;
    if (path[0] == '/') {
        *out = mp_text_copy(path);
    } else {
        char *here = getcwd(NULL, 0);
        if (!here)
            return errno;
        *out = mp_text_format("%s/%s", here, path);
        free(here);
    }
    return *out ? 0 : ENOMEM;
}
