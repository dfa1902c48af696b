#!/usr/bin/env python3
"""Restores from a Twinport repository, written from docs/formats/repository.md alone.

usage: read_repository.py REPO (--passphrase-file FILE | --key-file FILE) [--snapshot DIGITS]
                          (--list | --to DIR)

It shares no code with Twinport: it is there so that what was backed up can be read even if
Twinport cannot be built any more, and so that the document is known to suffice. It reads every
object through its own BLAKE3, in Python, and is slow: a kilobyte takes milliseconds. Contents,
names, modes, times, links, holes and user attributes are restored; owners, other attributes and
flags are not.

  --snapshot DIGITS   the first digits of a snapshot's name; without it the newest
  --list              say what snapshots there are, and what is in the one that is meant
  --to DIR            restore to this directory, which must not exist
Exit code: 0 done, 1 something is damaged and was left out, 2 wrong usage, 3 it could not be done.
"""

import argparse
import ctypes
import hashlib
import hmac
import os
import pathlib
import signal
import stat
import struct
import sys

NEWEST_VERSION = 1


class Damaged(Exception):
    """Something is not as the document says."""


# --- BLAKE3 (https://github.com/BLAKE3-team/BLAKE3-specs) ---------------------------------------

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB,
      0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
MASK = 0xFFFFFFFF
CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED = 1, 2, 4, 8, 16
MIXES = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


def compress(value, words, counter, size, flags):
    s = [*value, *IV[:4], counter & MASK, counter >> 32, size, flags]
    for _ in range(7):
        for pair, (a, b, c, d) in enumerate(MIXES):
            x = (s[a] + s[b] + words[2 * pair]) & MASK
            w = s[d] ^ x
            w = (w >> 16 | w << 16) & MASK
            z = (s[c] + w) & MASK
            y = s[b] ^ z
            y = (y >> 12 | y << 20) & MASK
            x = (x + y + words[2 * pair + 1]) & MASK
            w ^= x
            w = (w >> 8 | w << 24) & MASK
            z = (z + w) & MASK
            y ^= z
            s[a], s[b], s[c], s[d] = x, (y >> 7 | y << 25) & MASK, z, w
        words = [words[i] for i in PERMUTATION]
    return [s[i] ^ s[i + 8] for i in range(8)]


def blake3(data, key=None):
    start = IV if key is None else struct.unpack("<8I", key)
    base = 0 if key is None else KEYED

    def leaf(chunk, counter, root):
        value = start
        blocks = [chunk[i:i + 64] for i in range(0, len(chunk), 64)] or [b""]
        for number, block in enumerate(blocks):
            flags = base | (CHUNK_START if number == 0 else 0)
            if number == len(blocks) - 1:
                flags |= CHUNK_END | (ROOT if root else 0)
            words = struct.unpack("<16I", block.ljust(64, b"\0"))
            value = compress(value, words, counter, len(block), flags)
        return value

    def subtree(first, count, root):
        if count == 1:
            return leaf(data[first * 1024:(first + 1) * 1024], first, root)
        left = 1 << (count - 1).bit_length() - 1
        words = subtree(first, left, False) + subtree(first + left, count - left, False)
        return compress(start, words, 0, 64, base | PARENT | (ROOT if root else 0))

    return struct.pack("<8I", *subtree(0, max(1, -(-len(data) // 1024)), True))


# --- what the machine's libraries do ------------------------------------------------------------


def library(name):
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        sys.exit(f"read_repository: {error}; install the library and try again")


def hkdf(secret, salt, info):
    extracted = hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, info.encode() + b"\x01", hashlib.sha256).digest()


def argon2id(passphrase, salt, passes, memory_kib):
    sodium = library("libsodium.so.23")
    out = ctypes.create_string_buffer(32)
    if sodium.crypto_pwhash_argon2id(out, ctypes.c_ulonglong(32), passphrase,
                                     ctypes.c_ulonglong(len(passphrase)), salt,
                                     ctypes.c_ulonglong(passes),
                                     ctypes.c_size_t(memory_kib * 1024), 2) != 0:
        sys.exit(f"read_repository: Argon2id did not get its {memory_kib} KiB of memory")
    return out.raw


def gcm_open(key, nonce, bound, sealed):
    """AES-256-GCM; Damaged unless all of it is as it was sealed."""
    crypto = library("libcrypto.so.3")
    crypto.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
    crypto.EVP_aes_256_gcm.restype = ctypes.c_void_p
    if len(sealed) < 16:
        raise Damaged("is too short for a seal")
    context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    try:
        size = ctypes.c_int()
        out = ctypes.create_string_buffer(len(sealed))
        cipher = ctypes.c_void_p(crypto.EVP_aes_256_gcm())
        crypto.EVP_DecryptInit_ex(context, cipher, None, key, nonce)
        crypto.EVP_DecryptUpdate(context, None, ctypes.byref(size), bound, len(bound))
        crypto.EVP_DecryptUpdate(context, out, ctypes.byref(size), sealed, len(sealed) - 16)
        crypto.EVP_CIPHER_CTX_ctrl(context, 0x11, 16, sealed[-16:])
        if crypto.EVP_DecryptFinal_ex(context, out, ctypes.byref(size)) != 1:
            raise Damaged("does not open: it is damaged, or of another key")
        return out.raw[:len(sealed) - 16]
    finally:
        crypto.EVP_CIPHER_CTX_free(context)


def unzstd(data, size):
    zstd = library("libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(size or 1)
    if zstd.ZSTD_decompress(out, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data))) != size:
        raise Damaged("does not decompress")
    return out.raw[:size]


# --- bytes --------------------------------------------------------------------------------------


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, size):
        if size > len(self.data) - self.at:
            raise Damaged("ends too early")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, letter):
        return struct.unpack("<" + letter, self.raw(struct.calcsize("<" + letter)))[0]

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.raw(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> 64:
                    break
                return value
        raise Damaged("has a number that is too large")

    def zigzag(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def bytes(self):
        return self.raw(self.varint())

    def left(self):
        return len(self.data) - self.at

    def magic(self, letters):
        if self.raw(8) != letters:
            raise Damaged("does not begin as it must")
        version = self.number("H")
        if version > NEWEST_VERSION:
            sys.exit(f"read_repository: format {version} is newer than this reader")


# --- objects ------------------------------------------------------------------------------------


class Repository:
    def __init__(self, path, passphrase, key_line):
        self.path = path
        self.config = self.read_config()
        self.key = self.unwrap(passphrase, key_line)
        self.id_key = hkdf(self.key, b"", "twinport 1 id")
        self.data_key = hkdf(self.key, b"", "twinport 1 data")
        if blake3(self.config[:64], hkdf(self.key, b"", "twinport 1 config")) \
                != self.config[64:96]:
            sys.exit("read_repository: the config was written by somebody without the key")
        self.packs = {}
        self.places = {}
        self.load_packs()
        self.opened = {}

    def read_config(self):
        for name in ("config", "config-copy"):
            try:
                data = (self.path / name).read_bytes()
                Reader(data).magic(b"TWINCONF")
                if len(data) == 128 and blake3(data[:96]) == data[96:]:
                    return data
            except (OSError, Damaged):
                pass
        sys.exit(f"read_repository: {self.path} has no undamaged config")

    def unwrap(self, passphrase, key_line):
        wanted = 1 if passphrase is not None else 2
        for file in sorted([*self.path.glob("keys/*"), *self.path.glob("key-copies/*")]):
            data = file.read_bytes()
            try:
                reader = Reader(data)
                reader.magic(b"TWINKEYS")
                if len(data) != 224 or blake3(data[:192]) != data[192:]:
                    continue
                kind, _label = reader.number("B"), reader.number("B")
                memory_kib = reader.number("I")
                repository = reader.raw(16)
                _made, passes = reader.number("q"), reader.number("I")
                reader.raw(4)
                salt = reader.raw(32)
                if kind != wanted or repository != self.config[16:32]:
                    continue
                secret = (argon2id(passphrase, salt[:16], passes, memory_kib) if kind == 1
                          else bytes.fromhex(key_line.removeprefix("twinport-key-1-")))
                return gcm_open(hkdf(secret, salt, "twinport 1 slot"), bytes(12), data[:144],
                                data[144:192])
            except Damaged:
                continue
        sys.exit("read_repository: no key slot opens with this")

    def load_packs(self):
        """Indexes say nothing that packs do not say, so they are not needed."""
        for file in sorted(self.path.glob("packs/??/*")):
            try:
                self.load_pack(file)
            except Damaged as error:
                print(f"read_repository: {file} {error}", file=sys.stderr)

    def load_pack(self, file):
        data = file.read_bytes()
        head = Reader(data)
        head.magic(b"TWINPACK")
        kind = head.number("B")
        head.raw(5)
        if head.raw(16) != self.config[16:32]:
            raise Damaged("is of another repository")
        salt = head.raw(32)
        trailer = Reader(data[-48:])
        segments, size = trailer.number("I"), trailer.number("I")
        directory = data[len(data) - 48 - size:-48]
        if trailer.raw(32) != blake3(data[:64] + directory) or trailer.raw(8) != b"KCAPNIWT":
            raise Damaged("has a damaged directory")
        key = hkdf(self.data_key, salt, "twinport 1 session")
        reader, offset = Reader(directory), 64
        for _ in range(segments):
            stored, counter = reader.number("I"), reader.number("Q")
            reader.raw(32)
            begin = reader.at
            encoding, chunks = reader.number("B"), reader.number("H")
            ids, references = [], []
            for _ in range(chunks):
                ids.append(reader.raw(32))
                references.append([reader.raw(32) for _ in range(reader.number("I"))])
            bound = data[:32] + directory[begin:reader.at]
            segment = (file, kind, key, offset, stored, counter, encoding, bound, ids, references)
            for ordinal, chunk_id in enumerate(ids):
                self.places.setdefault(chunk_id, (segment, ordinal))
            offset += stored
        if reader.left() or offset + size + 48 != len(data):
            raise Damaged("is not filled by its segments")

    def chunk(self, kind, chunk_id):
        """Content and references."""
        if chunk_id not in self.places:
            raise Damaged(f"refers to chunk {chunk_id.hex()}, which is nowhere")
        segment, ordinal = self.places[chunk_id]
        of_kind, ids, references = segment[1], segment[8], segment[9]
        content = self.contents(segment)[ordinal]
        proof = b"".join(references[ordinal]) + struct.pack("<IB", len(references[ordinal]), kind)
        if of_kind != kind or ids[ordinal] != blake3(content + proof, self.id_key):
            raise Damaged(f"refers to chunk {chunk_id.hex()}, which is not what it says")
        return content, references[ordinal]

    def contents(self, segment):
        file, _, key, offset, stored, counter, encoding, bound, ids, _ = segment
        place = (file, offset)
        if place not in self.opened:
            with open(file, "rb") as pack:
                pack.seek(offset)
                sealed = pack.read(stored)
            reader = Reader(gcm_open(key, bytes(4) + struct.pack(">Q", counter), bound, sealed))
            lengths = [reader.number("I") for _ in ids]
            body = reader.raw(reader.left())
            if encoding == 1:
                body = unzstd(body, sum(lengths))
            elif encoding != 0 or len(body) != sum(lengths):
                raise Damaged("has a segment that is not as written")
            parts, at = [], 0
            for length in lengths:
                parts.append(body[at:at + length])
                at += length
            self.opened = {place: parts}
        return self.opened[place]

    def snapshots(self):
        """By age: (created, started, name, root listing's id, who)."""
        found = []
        for file in sorted(self.path.glob("snapshots/*")):
            data = file.read_bytes()
            try:
                if blake3(data).hex() != file.name:
                    raise Damaged("is damaged")
                reader = Reader(data)
                reader.magic(b"TWINSNAP")
                reader.raw(6 + 16)
                created = reader.number("q")
                reader.raw(16)
                salt = reader.raw(32)
                if reader.number("I") != 1:
                    raise Damaged("does not have one root listing")
                roots = reader.raw(32)
                key = hkdf(self.data_key, salt, "twinport 1 session")
                payload = gcm_open(key, bytes(12), data[:reader.at], data[reader.at:])
                started, who = describe(payload)
                found.append((created, started, file.name, roots, who))
            except Damaged as error:
                print(f"read_repository: {file} {error}", file=sys.stderr)
        return sorted(found)


def describe(payload):
    """When a snapshot's backup started, and whose it is."""
    reader = Reader(payload)
    if reader.number("B") != 1:
        raise Damaged("has a payload of another version")
    host, user, _program = reader.bytes(), reader.bytes(), reader.bytes()
    started = (reader.zigzag(), reader.varint())
    return started, f"{user.decode(errors='replace')} at {host.decode(errors='replace')}"


# --- trees --------------------------------------------------------------------------------------

FILE, DIRECTORY, LINK, CHARACTER, BLOCK, FIFO, SOCKET = range(1, 8)


def entries(repository, listing):
    content, references = repository.chunk(2, listing)
    ids = iter(references)
    reader = Reader(content)
    if reader.number("B") != 1:
        raise Damaged("is no listing")
    names = [reader.bytes() for _ in range(reader.varint())]
    while reader.left():
        entry = {"name": reader.bytes(), "type": reader.number("B"), "mode": reader.varint()}
        entry["uid"], entry["gid"] = reader.varint(), reader.varint()
        for owner in ("user", "group"):
            place = reader.varint()
            entry[owner] = names[place - 1] if place else b""
        entry["mtime"] = (reader.zigzag(), reader.varint())
        entry["ctime"] = (reader.zigzag(), reader.varint())
        entry["inode"], entry["device"] = reader.varint(), reader.varint()
        entry["links"], entry["flags"] = reader.varint(), reader.varint()
        entry["attributes"] = [(reader.bytes(), reader.bytes()) for _ in range(reader.varint())]
        if entry["type"] == FILE:
            entry["size"] = reader.varint()
            entry["holes"] = [(reader.varint(), reader.varint()) for _ in range(reader.varint())]
            indirect = reader.number("B")
            entry["pieces"] = [(next(ids), reader.varint()) for _ in range(reader.varint())]
            if indirect:
                entry["pieces"] = [piece for listed, _ in entry["pieces"]
                                   for piece in pieces(repository, listed)]
        elif entry["type"] == DIRECTORY:
            entry["listings"] = [next(ids) for _ in range(reader.varint())]
        elif entry["type"] == LINK:
            entry["target"] = reader.bytes()
        elif entry["type"] in (CHARACTER, BLOCK):
            entry["device number"] = (reader.varint(), reader.varint())
        yield entry


def pieces(repository, listed):
    content, references = repository.chunk(2, listed)
    reader = Reader(content)
    if reader.number("B") != 2 or reader.varint() != len(references):
        raise Damaged("is no list of pieces")
    return [(reference, reader.varint()) for reference in references]


class Restore:
    def __init__(self, repository):
        self.repository = repository
        self.damaged = 0
        self.linked = {}

    def complain(self, path, error):
        self.damaged += 1
        print(f"read_repository: {os.fsdecode(path)} {error}", file=sys.stderr)

    def restore(self, listing, target, is_root=False):
        try:
            for entry in entries(self.repository, listing):
                name = entry["name"].lstrip(b"/") if is_root else entry["name"]
                parts = name.split(b"/")
                if b".." in parts or b"." in parts or (len(parts) > 1 and not is_root):
                    raise Damaged("has a name that leads elsewhere")
                path = os.path.join(target, name) if name else target
                os.makedirs(os.path.dirname(path), exist_ok=True)
                try:
                    self.one(entry, path)
                except Damaged as error:
                    self.complain(path, error)
        except Damaged as error:
            self.complain(target, error)

    def one(self, entry, path):
        kind = entry["type"]
        key = (entry["device"], entry["inode"])
        if entry["links"] > 1 and kind != DIRECTORY:
            earlier, earlier_path = self.linked.setdefault(key, (entry, path))
            # The number of a file that was gone may have been used again during the backup.
            if earlier is not entry and {**earlier, "name": ""} == {**entry, "name": ""}:
                os.link(earlier_path, path, follow_symlinks=False)
                return
        if kind == DIRECTORY:
            os.makedirs(path, exist_ok=True)
            for listing in entry["listings"]:
                self.restore(listing, path)
        elif kind == FILE:
            self.file(entry, path)
        elif kind == LINK:
            os.symlink(entry["target"], path)
        elif kind == FIFO:
            os.mkfifo(path)
        else:
            self.complain(path, "is a device or a socket, which this reader does not make")
            return
        seconds, nanoseconds = entry["mtime"]
        if kind in (FILE, DIRECTORY):
            for name, value in entry["attributes"]:
                if name.startswith(b"user."):
                    os.setxattr(path, name, value)
        if kind != LINK:
            os.chmod(path, stat.S_IMODE(entry["mode"]))
        stamp = seconds * 1_000_000_000 + nanoseconds
        os.utime(path, ns=(stamp, stamp), follow_symlinks=False)

    def file(self, entry, path):
        with open(path, "xb") as file:
            holes, offset = list(entry["holes"]), 0
            gap = holes[0][0] if holes else None
            for chunk_id, length in entry["pieces"]:
                content, _ = self.repository.chunk(1, chunk_id)
                if len(content) != length:
                    raise Damaged("has a piece of another length")
                while content:
                    if gap == 0:
                        offset += holes.pop(0)[1]
                        gap = holes[0][0] if holes else None
                        continue
                    part = content if gap is None else content[:gap]
                    file.seek(offset)
                    file.write(part)
                    offset += len(part)
                    gap = None if gap is None else gap - len(part)
                    content = content[len(part):]
            file.truncate(entry["size"])


def list_tree(repository, listing, path):
    for entry in entries(repository, listing):
        name = os.path.join(path, entry["name"])
        print(f"{entry['mode']:04o} {entry.get('size', 0):>12} {os.fsdecode(name)!r}")
        for below in entry.get("listings", []):
            list_tree(repository, below, name)


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if "--help" in sys.argv[1:] or len(sys.argv) == 1:
        print(__doc__.strip())
        return 0 if len(sys.argv) > 1 else 2
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("repository", type=pathlib.Path)
    secret = parser.add_mutually_exclusive_group(required=True)
    secret.add_argument("--passphrase-file", type=pathlib.Path)
    secret.add_argument("--key-file", type=pathlib.Path)
    parser.add_argument("--snapshot", default="")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--list", action="store_true")
    action.add_argument("--to")
    options = parser.parse_args()
    passphrase = options.passphrase_file and \
        options.passphrase_file.read_bytes().rstrip(b"\r\n")
    key_line = options.key_file and options.key_file.read_text().strip()
    repository = Repository(options.repository, passphrase, key_line)
    snapshots = repository.snapshots()
    meant = [each for each in snapshots if each[2].startswith(options.snapshot)]
    if not meant:
        print("read_repository: there is no such snapshot", file=sys.stderr)
        return 3
    if options.list:
        for created, _, name, _, who in snapshots:
            print(name, created, who)
        list_tree(repository, meant[-1][3], b"")
        return 0
    os.mkdir(options.to)
    restore = Restore(repository)
    restore.restore(meant[-1][3], os.fsencode(options.to), is_root=True)
    return 1 if restore.damaged else 0


if __name__ == "__main__":
    sys.exit(main())
