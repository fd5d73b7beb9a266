/* Paths, which are UTF-8 wherever the system's are text. */
#ifndef MP_PATH_H
#define MP_PATH_H

/* The same path from the root, for free(): a process may change its working
 * directory, and often does. Returns 0 or an errno value. */
int mp_path_absolute(const char *path, char **out);

#endif
