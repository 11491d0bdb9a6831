//! Memory Mapped, in Zig: the seed's event stream in a mapped file, with checksums or without.
//!
//!     mapped PATH SOURCES COUNT SIZE steady|touched|cold checksum|plain
//!
//! writes COUNT messages of SIZE bytes into a fresh file at PATH, twice, and prints the nanoseconds of the
//! second pass. SOURCES is a file of contents, SIZE bytes each, which the messages go through in turn.
//! Creating, mapping and touching the file's pages are not part of the time; "cold" empties the caches after
//! that; "steady" writes each file over from its start, ten times, and the last counts. One thread, no lock.
//!
//! It speaks to libc alone, because that changes less from one Zig to the next than Zig's own library does.

const std = @import("std");

extern "c" fn open(path: [*:0]const u8, flags: c_int, ...) c_int;
extern "c" fn close(fd: c_int) c_int;
extern "c" fn ftruncate(fd: c_int, size: i64) c_int;
extern "c" fn lseek(fd: c_int, offset: i64, whence: c_int) i64;
extern "c" fn mmap(at: ?*anyopaque, size: usize, protection: c_int, flags: c_int, fd: c_int, offset: i64) ?*anyopaque;
extern "c" fn munmap(at: *anyopaque, size: usize) c_int;
extern "c" fn clock_gettime(clock: c_int, time: *TimeSpec) c_int;
extern "c" fn printf(format: [*:0]const u8, ...) c_int;
extern "c" fn perror(what: [*:0]const u8) void;
extern "c" fn exit(code: c_int) noreturn;

const TimeSpec = extern struct { seconds: i64, nanoseconds: i64 };
const REALTIME = 0;
const MONOTONIC = 1;
const O_RDONLY = 0;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const SEEK_END = 2;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

const StreamHeader = extern struct {
    write_offset: i64,
    event_count: i64,
    start_timestamp: i64,
};

const EventEntry = extern struct {
    timestamp: i64,
    size: u32,
    checksum: u32,
};

fn die(what: [*:0]const u8) noreturn {
    perror(what);
    exit(1);
}

fn now(clock: c_int) i64 {
    var time: TimeSpec = undefined;
    if (clock_gettime(clock, &time) != 0) die("clock_gettime");
    return time.seconds * 1_000_000_000 + time.nanoseconds;
}

/// Write to every page.
fn touch(memory: []u8) void {
    var at: usize = 0;
    while (at < memory.len) : (at += 4096) @as(*volatile u8, &memory[at]).* = 0;
}

/// Read so much other memory that little of a stream is left in the caches.
fn cool() void {
    touch(std.mem.asBytes(&elsewhere));
    for (&elsewhere) |*word| _ = @as(*volatile u64, word).*;
}

var elsewhere: [64 << 17]u64 = undefined;

fn map(fd: c_int, size: usize, protection: c_int) []u8 {
    const at = mmap(null, size, protection, MAP_SHARED, fd, 0) orelse die("mmap");
    if (@intFromPtr(at) == std.math.maxInt(usize)) die("mmap");
    return @as([*]u8, @ptrCast(at))[0..size];
}

/// CRC-32 sixteen bytes at a time; std.hash.Crc32 takes one at a time, which is several times slower.
const Crc32 = struct {
    const tables: [16][256]u32 = make: {
        @setEvalBranchQuota(100_000);
        var made: [16][256]u32 = undefined;
        for (0..256) |byte| {
            var crc: u32 = byte;
            for (0..8) |_| crc = (crc >> 1) ^ ((crc & 1) * 0xedb88320);
            made[0][byte] = crc;
        }
        for (1..16) |slice| {
            for (0..256) |byte| {
                const crc = made[slice - 1][byte];
                made[slice][byte] = (crc >> 8) ^ made[0][crc & 0xff];
            }
        }
        break :make made;
    };

    fn hash(data: []const u8) u32 {
        var crc: u32 = 0xffffffff;
        var rest = data;
        while (rest.len >= 16) : (rest = rest[16..]) {
            var block: [16]u8 = rest[0..16].*;
            const first = std.mem.readInt(u32, block[0..4], .little) ^ crc;
            std.mem.writeInt(u32, block[0..4], first, .little);
            crc = 0;
            inline for (0..16) |i| crc ^= tables[15 - i][block[i]];
        }
        for (rest) |byte| crc = (crc >> 8) ^ tables[0][(crc ^ byte) & 0xff];
        return ~crc;
    }
};

const EventStream = struct {
    memory: []u8,
    header: *StreamHeader,

    fn create(path: [*:0]const u8, size: usize) EventStream {
        const fd = open(path, O_RDWR | O_CREAT | O_TRUNC, @as(c_uint, 0o600));
        if (fd < 0) die(path);
        if (ftruncate(fd, @intCast(size)) != 0) die("ftruncate");
        const memory = map(fd, size, PROT_READ | PROT_WRITE);
        _ = close(fd);
        touch(memory);
        const header: *StreamHeader = @ptrCast(@alignCast(memory.ptr));
        header.* = .{ .write_offset = @sizeOf(StreamHeader), .event_count = 0, .start_timestamp = now(REALTIME) };
        return .{ .memory = memory, .header = header };
    }

    fn append(self: EventStream, data: []const u8, comptime checksum: bool) void {
        const start: usize = @intCast(self.header.write_offset);
        const body = start + @sizeOf(EventEntry);
        const end = body + data.len;
        const entry = EventEntry{
            .timestamp = now(REALTIME),
            .size = @intCast(data.len),
            .checksum = if (checksum) Crc32.hash(data) else 0,
        };
        @memcpy(self.memory[start..body], std.mem.asBytes(&entry));
        @memcpy(self.memory[body..end], data);
        self.header.event_count += 1;
        @atomicStore(i64, &self.header.write_offset, @intCast(end), .release);
    }

    fn unmap(self: EventStream) void {
        _ = munmap(self.memory.ptr, self.memory.len);
    }
};

const Caches = enum { steady, touched, cold };

fn pass(path: [*:0]const u8, sources: []const u8, count: usize, size: usize, caches: Caches, comptime checksum: bool) i64 {
    const stream = EventStream.create(path, @sizeOf(StreamHeader) + count * (@sizeOf(EventEntry) + size));
    defer stream.unmap();
    var taken: i64 = 0;
    for (0..if (caches == .steady) 10 else 1) |_| {
        stream.header.write_offset = @sizeOf(StreamHeader);
        stream.header.event_count = 0;
        if (caches == .cold) cool();
        const start = now(MONOTONIC);
        var from: usize = 0;
        for (0..count) |_| {
            stream.append(sources[from..][0..size], checksum);
            from += size;
            if (from == sources.len) from = 0;
        }
        taken = now(MONOTONIC) - start;
    }
    return taken;
}

fn number(argument: [*:0]const u8) usize {
    return std.fmt.parseInt(usize, std.mem.span(argument), 10) catch die("not a number");
}

pub export fn main(argc: c_int, argv: [*]const [*:0]const u8) c_int {
    if (argc != 7) die("mapped PATH SOURCES COUNT SIZE steady|touched|cold checksum|plain");
    const fd = open(argv[2], O_RDONLY);
    if (fd < 0) die(argv[2]);
    const sources = map(fd, @intCast(lseek(fd, 0, SEEK_END)), PROT_READ);
    const count = number(argv[3]);
    const size = number(argv[4]);
    if (size == 0 or sources.len % size != 0) die("SOURCES is no multiple of SIZE");
    const caches = std.meta.stringToEnum(Caches, std.mem.span(argv[5])) orelse die("steady, touched or cold");
    const checksum = std.mem.eql(u8, std.mem.span(argv[6]), "checksum");
    var taken: i64 = 0;
    for (0..2) |_| {
        taken = if (checksum)
            pass(argv[1], sources, count, size, caches, true)
        else
            pass(argv[1], sources, count, size, caches, false);
    }
    _ = printf("%lld\n", taken);
    return 0;
}
