# What the suite `musl` needs of musl, from sources that .ci/unpack fetched:
# the libraries of the module, Lua 5.4, and the modules of Lua that specs use.

H = build/musl
S = $(H)/source
CURL     = $(wildcard $(S)/curl-*)
DEFLATE  = $(wildcard $(S)/libdeflate-*)
JANSSON  = $(wildcard $(S)/jansson-*)
MBEDTLS  = $(wildcard $(S)/*mbedtls-*)
LUA      = $(wildcard $(S)/lua-5.4*)
SOCKET   = $(wildcard $(S)/luasocket-*)
CJSON    = $(wildcard $(S)/lua-cjson-*)

# Linux's own headers are the same for every C library.
CC = musl-gcc -idirafter $(CURDIR)/$(H)/kernel
CFLAGS = -O1 -fPIC

objects = $(patsubst $(S)/%.c,$(H)/obj/%.o,$(1))
archive = @mkdir -p $(@D); rm -f $@; $(AR) rcs $@ $^

all: $(H)/lib/libcurl.a $(H)/lib/libdeflate.a $(H)/lib/libjansson.a \
    $(H)/lib/liblua5.4.a $(H)/bin/lua5.4 $(H)/lua/lfs.so $(H)/lua/cjson.so \
    $(H)/lua/term/core.so $(H)/lua/socket/core.so $(H)/lua/mime/core.so \
    $(H)/lua/system/core.lua $(H)/include

$(H)/kernel:
	@mkdir -p $@
	@ln -s /usr/include/linux /usr/include/asm-generic \
	    $(firstword $(wildcard /usr/include/*-linux-gnu/asm /usr/include/asm)) $@

$(H)/include: # for the module
	@mkdir -p $@
	@ln -s $(wildcard $(CURDIR)/$(CURL)/include/curl \
	    $(CURDIR)/$(DEFLATE)/libdeflate.h $(CURDIR)/$(JANSSON)/src/jansson.h \
	    $(CURDIR)/$(JANSSON)/android/jansson_config.h) $@
	@ln -s $(CURDIR)/$(LUA)/src $@/lua5.4

$(H)/obj/%.o: $(S)/%.c | $(H)/kernel
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(INCLUDE) -c -o $@ $<

$(H)/lib/libdeflate.a: INCLUDE = -I$(DEFLATE)
$(H)/lib/libdeflate.a: $(call objects,$(wildcard $(DEFLATE)/lib/*.c $(DEFLATE)/lib/*/*.c))
	$(archive)

# The configuration that its authors keep for where there is no ./configure.
$(H)/lib/libjansson.a: INCLUDE = -DHAVE_STDINT_H -I$(JANSSON)/android -I$(H)/jansson
$(call objects,$(wildcard $(JANSSON)/src/*.c)): | $(H)/jansson/jansson_private_config.h
$(H)/jansson/jansson_private_config.h:
	@mkdir -p $(@D) && touch $@
$(H)/lib/libjansson.a: $(call objects,$(wildcard $(JANSSON)/src/*.c))
	$(archive)

$(H)/lib/libmbedtls.a: INCLUDE = -I$(MBEDTLS)/include
$(H)/lib/libmbedtls.a: $(call objects,$(wildcard $(MBEDTLS)/library/*.c))
	$(archive)

# HTTP and TLS, and nothing else. It asks for the parts of mbedTLS, which are in
# one library here.
$(H)/lib/libcurl.a: $(H)/lib/libmbedtls.a
	@mkdir -p $(H)/curl
	@for part in x509 crypto; do $(AR) rcs $(H)/lib/libmbed$$part.a; done
	cd $(H)/curl && $(CURDIR)/$(CURL)/configure --host=x86_64-linux-musl \
	    CC='$(CC)' CFLAGS='$(CFLAGS)' CPPFLAGS=-I$(CURDIR)/$(MBEDTLS)/include \
	    LDFLAGS=-L$(CURDIR)/$(H)/lib --with-mbedtls --disable-shared \
	    --without-zlib --without-brotli --without-zstd --without-libpsl \
	    --without-nghttp2 --without-libidn2 --disable-manual --disable-ldap \
	    --disable-ftp --disable-file --disable-rtsp --disable-dict \
	    --disable-telnet --disable-tftp --disable-pop3 --disable-imap \
	    --disable-smb --disable-smtp --disable-gopher --disable-mqtt
	$(MAKE) -C $(H)/curl/lib libcurl.la
	cp $(H)/curl/lib/.libs/libcurl.a $@

LUA_HOME = $(CURDIR)/$(H)/lua
$(H)/lib/liblua5.4.a $(H)/bin/lua5.4: INCLUDE = -DLUA_USE_LINUX \
    '-DLUA_PATH_DEFAULT="$(LUA_HOME)/?.lua;/usr/share/lua/5.4/?.lua;/usr/share/lua/5.4/?/init.lua;./?.lua"' \
    '-DLUA_CPATH_DEFAULT="$(LUA_HOME)/?.so"'
$(H)/lib/liblua5.4.a: $(call objects,$(filter-out %/lua.c %/luac.c,$(wildcard $(LUA)/src/*.c)))
	$(archive)

$(H)/bin/lua5.4: $(call objects,$(LUA)/src/lua.c) $(H)/lib/liblua5.4.a
	@mkdir -p $(@D)
	$(CC) -Wl,-E -o $@ $< -Wl,--whole-archive $(H)/lib/liblua5.4.a \
	    -Wl,--no-whole-archive -lm

$(H)/lua/%.so: INCLUDE = -I$(LUA)/src -I$(SOCKET)/src
$(H)/lua/%.so:
	@mkdir -p $(@D)
	$(CC) -shared -o $@ $^

unix = timeout buffer io auxiliar compat options inet except select tcp udp usocket luasocket
$(H)/lua/lfs.so: $(call objects,$(wildcard $(S)/lua-filesystem-*/src/lfs.c))
$(H)/lua/term/core.so: $(call objects,$(wildcard $(S)/lua-term-*/core.c))
$(H)/lua/cjson.so: $(call objects,$(addprefix $(CJSON)/,lua_cjson.c strbuf.c fpconv.c))
$(H)/lua/socket/core.so: $(call objects,$(unix:%=$(SOCKET)/src/%.c))
$(H)/lua/mime/core.so: $(call objects,$(addprefix $(SOCKET)/src/,mime.c compat.c))

# What busted asks of lua-system, LuaSocket has as well.
$(H)/lua/system/core.lua:
	@mkdir -p $(@D)
	@echo 'local socket = require "socket"' >$@
	@echo 'return { gettime = socket.gettime, monotime = socket.gettime, sleep = socket.sleep }' >>$@

.SECONDARY:
.PHONY: all
