/* Removes a directory with all that is in it. */
#ifndef REMOVE_TREE_H
#define REMOVE_TREE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void remove_tree(const char *path) {
    DIR *list = opendir(path);
    for (struct dirent *e; list && (e = readdir(list));) {
        char *sub = NULL;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            asprintf(&sub, "%s/%s", path, e->d_name) < 0)
            continue;
        if (unlink(sub) != 0)
            remove_tree(sub);
        free(sub);
    }
    if (list)
        closedir(list);
    rmdir(path);
}

#endif
