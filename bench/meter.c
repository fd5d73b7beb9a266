/* What the benchmarks measure with, for Lua: clocks, the time of single
 * calls, and calls of malloc. Not part of the module. */
#include <dlfcn.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

int luaopen_meter(lua_State *L);

static int64_t read_ns(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int push_clock(lua_State *L, clockid_t id) {
    lua_pushnumber(L, (lua_Number)read_ns(id));
    return 1;
}

/* CPU time of the calling thread, of the process, and real time; in ns. */

static int thread_ns(lua_State *L) {
    return push_clock(L, CLOCK_THREAD_CPUTIME_ID);
}

static int process_ns(lua_State *L) {
    return push_clock(L, CLOCK_PROCESS_CPUTIME_ID);
}

static int wall_ns(lua_State *L) {
    return push_clock(L, CLOCK_MONOTONIC);
}

/* Calls of malloc and its kin by this thread since it began; nil unless
 * count_malloc.so is loaded. */
static int allocations(lua_State *L) {
    uint64_t (*count)(void) = NULL;
    *(void **)&count = dlsym(RTLD_DEFAULT, "bench_allocations");
    if (!count)
        return 0;
    lua_pushnumber(L, (lua_Number)count());
    return 1;
}

static int64_t from_timeval(struct timeval t) {
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

/* children(): the CPU time in ns of all processes that this one has started and
 * that have ended, theirs included, and the most memory that one of them had,
 * in KiB. */
static int children(lua_State *L) {
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    int64_t ns = from_timeval(usage.ru_utime) + from_timeval(usage.ru_stime);
    lua_pushnumber(L, (lua_Number)ns);
    lua_pushnumber(L, (lua_Number)usage.ru_maxrss);
    return 2;
}

/* empty(...): what a call into C costs. */
static int empty(lua_State *L) {
    (void)L;
    return 0;
}

/* walk(t): what it costs to read a table through Lua's API and do nothing
 * with it: the floor for whoever encodes one. */
static int walk(lua_State *L) {
    size_t sum = 0, len;
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING)
            sum += (size_t)lua_tolstring(L, -2, &len)[0];
        if (lua_type(L, -1) == LUA_TSTRING)
            sum += (size_t)lua_tolstring(L, -1, &len)[0];
        else if (lua_type(L, -1) == LUA_TNUMBER)
            sum += (size_t)lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    lua_pushboolean(L, sum != 0);
    return 1;
}

/* ---- single calls ---- */

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Pushes { p50 =, p99 =, p9999 =, max = } of n values, which get sorted. */
static void push_percentiles(lua_State *L, int64_t *values, size_t n) {
    static const struct {
        const char *name;
        double share;
    } points[] = {
        {"p50", 0.5},
        {"p99", 0.99},
        {"p9999", 0.9999},
        {"max", 1},
    };
    qsort(values, n, sizeof *values, compare);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        size_t at = (size_t)((double)n * points[i].share);
        lua_pushnumber(L, (lua_Number)values[at < n ? at : n - 1]);
        lua_setfield(L, -2, points[i].name);
    }
}

static void sleep_until(int64_t ns) {
    struct timespec ts = {ns / 1000000000, ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* sleep(ns) */
static int sleep_ns(lua_State *L) {
    sleep_until(read_ns(CLOCK_MONOTONIC) + (int64_t)luaL_checknumber(L, 1));
    return 0;
}

/* Where between two ticks of the kernel's clock the i-th frame begins, in ns:
 * everywhere, in equal shares. Sixty frames a second would meet the tick, which
 * takes tens of microseconds here, in every sixth frame or in none. */
static int64_t spread(size_t i) {
    const double golden = 0.6180339887498949, tick_ns = 1e7;
    double turns = (double)i * golden;
    return (int64_t)((turns - (double)(int64_t)turns) * tick_ns);
}

/* calls(f, self, name, properties, n[, burst, pause_ns]): calls
 * f(self, name, properties) n times, with a pause after every `burst` of
 * them, on average that long, and returns the percentiles of real time and of
 * the thread's CPU time that single calls took, in ns, and how many of them
 * returned false or nil. */
static int calls(lua_State *L) {
    size_t n = (size_t)luaL_checkinteger(L, 5);
    size_t burst = (size_t)luaL_optinteger(L, 6, 0);
    int64_t pause_ns = (int64_t)luaL_optinteger(L, 7, 0);
    lua_Integer refused = 0;
    int64_t *wall = malloc(n * sizeof *wall), *cpu = malloc(n * sizeof *cpu);
    if (!wall || !cpu)
        return luaL_error(L, "out of memory");
    for (size_t i = 0; i < n; i++) { /* so that no page is touched below */
        wall[i] = 1;                 /* of 0 the compiler makes a calloc */
        cpu[i] = 1;
    }
    int64_t frame = read_ns(CLOCK_MONOTONIC);
    for (size_t i = 0; i < n; i++) {
        if (burst > 0 && i > 0 && i % burst == 0)
            sleep_until((frame += pause_ns) + spread(i / burst));
        for (int arg = 1; arg <= 4; arg++)
            lua_pushvalue(L, arg);
        cpu[i] = read_ns(CLOCK_THREAD_CPUTIME_ID);
        wall[i] = read_ns(CLOCK_MONOTONIC);
        lua_call(L, 3, 1);
        wall[i] = read_ns(CLOCK_MONOTONIC) - wall[i];
        cpu[i] = read_ns(CLOCK_THREAD_CPUTIME_ID) - cpu[i];
        refused += !lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    push_percentiles(L, wall, n);
    push_percentiles(L, cpu, n);
    lua_pushinteger(L, refused);
    free(wall);
    free(cpu);
    return 3;
}

__attribute__((visibility("default"))) int luaopen_meter(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"thread_ns", thread_ns},
        {"process_ns", process_ns},
        {"wall_ns", wall_ns},
        {"children", children},
        {"allocations", allocations},
        {"empty", empty},
        {"sleep", sleep_ns},
        {"walk", walk},
        {"calls", calls},
        {NULL, NULL},
    };
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
