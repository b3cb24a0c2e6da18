import { parseSdp, type Sdp } from './parse.ts'

const DIRECTIONS = new Set(['a=sendrecv', 'a=sendonly', 'a=recvonly', 'a=inactive'])

/**
 * The description without any hold (RFC 3264 8.4): sendrecv is what stands when nothing is said. For a party that was
 * held by one peer and is put through to another. The address 0.0.0.0 stays: where such a party hears is not known.
 */
export function resumed(sdp: Sdp): Sdp {
  const lines = sdp.lines.filter((line) => !DIRECTIONS.has(line.trimEnd()))
  if (lines.length === sdp.lines.length) return sdp
  const read = parseSdp(`${lines.join('\r\n')}\r\n`)
  return read.kind === 'sdp' ? read.sdp : sdp
}
