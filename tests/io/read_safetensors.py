"""Reads a safetensors file with struct and json alone and prints each tensor by name: name, count, values."""
import json
import struct
import sys

with open(sys.argv[1], "rb") as file:
    data = file.read()
length = struct.unpack_from("<Q", data)[0]
header = json.loads(data[8:8 + length])
assert header.pop("__metadata__") == {"format": "pt"}
assert (8 + length) % 8 == 0
for name in sorted(header):
    entry = header[name]
    begin, end = (8 + length + offset for offset in entry["data_offsets"])
    count = 1
    for size in entry["shape"]:
        count *= size
    if entry["dtype"] == "BF16":
        halves = struct.unpack(f"<{count}H", data[begin:end])
        values = [struct.unpack("<f", struct.pack("<I", half << 16))[0] for half in halves]
    else:
        values = struct.unpack(f"<{count}{ {'F32': 'f', 'F16': 'e'}[entry['dtype']] }", data[begin:end])
    print(name, count, *(repr(value) for value in values))
