import type { Via } from './message.ts'
import { hop, readNumeral, scanParams, scanVia } from './scan.ts'

/** Reads one Via element (RFC 3261 20.42); undefined when malformed. */
export function parseVia(text: string): Via | undefined {
  return scanVia(text, 0) === text.length ? viaScanned(text) : undefined
}

/** What `scanVia` has just found in `text`. */
export function viaScanned(text: string): Via {
  const { port, portEnd, params, end } = hop
  const transport = text.slice(hop.transport, hop.transportEnd).toUpperCase()
  const host = text.slice(hop.host, hop.hostEnd).toLowerCase()
  const found = new Map<string, string>()
  if (params < end) scanParams(text, params, found)
  return { transport, host, port: port < 0 ? undefined : readNumeral(text.slice(port, portEnd), 65_535), params: found }
}
