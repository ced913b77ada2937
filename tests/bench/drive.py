"""Drives the loads of the measures through one program, a few seconds each, and judges nothing: for a node that counts
what it does (packaging/profile/make).

usage: drive.py PROGRAM"""
import os, sys

import cases, host, inputs, peers, rsa

SECONDS = 3


def main():
    if len(sys.argv) != 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(__doc__)
    peers.NODE = os.path.abspath(sys.argv[1])
    inputs.prepare()
    for what, run in (("live over TLS", lambda: cases.whole_job("holdfast", SECONDS)),
                      ("degraded", lambda: cases.degraded_node(SECONDS)),
                      ("signed", lambda: rsa.forwarding(SECONDS))):
        try:
            print(f"{what}: {run()['requests']} requests", flush=True)
        except host.Broken as broken:
            sys.exit(f"{what}: {broken}")


if __name__ == "__main__":
    main()
