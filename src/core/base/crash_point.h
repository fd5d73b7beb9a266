/* Names what the process is about to do, for specs that kill it right then.
 * Nothing is left of it in a build without MP_SPEC_HOOKS. */
#ifndef MP_CRASH_POINT_H
#define MP_CRASH_POINT_H

#ifdef MP_SPEC_HOOKS
void mp_crash_point(const char *name); /* the spec's */
#else
#define mp_crash_point(name) ((void)0)
#endif

#endif
