/* Memory by the page. */
#ifndef MP_PAGES_H
#define MP_PAGES_H

#include <stddef.h>

/* Zeroed memory that a forked child does not get. NULL: there is none. */
char *mp_pages_new(size_t bytes);
void mp_pages_free(char *pages, size_t bytes);

/* Gives the whole pages from `first` up to `end` back to the system, if it
 * takes them: their bytes read as anything from now on. */
void mp_pages_give_back(char *first, const char *end);

/* The same for a mapped file, whose blocks go with them. */
void mp_pages_give_back_mapped(char *first, const char *end);

#endif
