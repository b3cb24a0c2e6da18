import type { Via } from './message.ts'
import { hop, readNumeral, scanned, scanVia } from './scan.ts'

/** Reads one Via element (RFC 3261 20.42); undefined when malformed. */
export function parseVia(text: string): Via | undefined {
  return scanVia(text, 0) === text.length ? viaScanned(text) : undefined
}

/** What `scanVia` has just found in `text`. */
export function viaScanned(text: string): Via {
  const { host, hostEnd, port, portEnd } = hop
  return {
    transport: transportName(text, hop.transport, hop.transportEnd),
    host: text.slice(host, hostEnd).toLowerCase(),
    port: port < 0 ? undefined : readNumeral(text.slice(port, portEnd), 65_535),
    params: scanned.params,
  }
}

function transportName(text: string, start: number, end: number): string {
  if (end - start === 3) {
    if (text.startsWith('UDP', start)) return 'UDP'
    if (text.startsWith('TCP', start)) return 'TCP'
    if (text.startsWith('TLS', start)) return 'TLS'
  }
  return text.slice(start, end).toUpperCase()
}
