/* Memory by the page. */
#ifndef MP_PAGES_H
#define MP_PAGES_H

#include <stddef.h>

/* Zeroed memory that a forked child does not get. NULL: there is none. */
char *mp_pages_new(size_t bytes);
void mp_pages_free(char *pages, size_t bytes);

#endif
