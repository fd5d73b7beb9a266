/* Shared libraries that are loaded already. */
#ifndef MP_LIBRARY_H
#define MP_LIBRARY_H

typedef void (*mp_library_function)(void);

/* The function of this name that a call from the module would reach, else one
 * of the library that holds the function `inside` and of what it is linked
 * with; NULL: there is none. */
mp_library_function mp_library_find(mp_library_function inside,
                                    const char *name);

#endif
