/* Shared libraries. */
#ifndef MP_LIBRARY_H
#define MP_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

typedef void (*mp_library_function)(void);

/* The function of this name that a call from the module would reach, else one
 * of the library that holds the function `inside` and of what it is linked
 * with; NULL: there is none. */
mp_library_function mp_library_find(mp_library_function inside,
                                    const char *name);

typedef struct mp_library mp_library; /* one that was loaded here */

/* Loads a file with all that it needs; its symbols are its own. NULL: `why`
 * says what is missing. */
mp_library *mp_library_open(const char *path, char *why, size_t size);

/* The address of what it exports under this name; NULL: nothing. */
const void *mp_library_symbol(mp_library *library, const char *name);
void mp_library_close(mp_library *library);

/* True if there is a file that can be read. */
bool mp_library_exists(const char *path);

#endif
