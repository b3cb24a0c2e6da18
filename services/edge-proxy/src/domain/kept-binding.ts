/** A binding as text and back: what a restart must not lose of it. */
import { parseNameAddr, writeNameAddr } from '@tandem/sip/message/uri.ts'
import type { BoundContact } from './registrar.ts'

export function writeBinding(binding: BoundContact): string {
  const { displayName, uriText, params } = binding.contact
  return JSON.stringify({ ...binding, contact: writeNameAddr({ displayName, uri: uriText, params }) })
}

/** Undefined when it is not what `writeBinding` wrote. */
export function readBinding(text: string): BoundContact | undefined {
  try {
    const { contact, ...rest } = JSON.parse(text) as Omit<BoundContact, 'contact'> & { contact: string }
    const address = parseNameAddr(contact)
    if (!address || typeof rest.bindingId !== 'string' || typeof rest.flow !== 'string') return undefined
    // what was undefined is not in the text, and reads as undefined again
    return { ...rest, contact: address }
  } catch {
    return undefined
  }
}

/** listener, address and port of a UDP flow; undefined for a connection, which does not survive its process. */
export function udpFlow(flow: string): { listener: string; address: string; port: number } | undefined {
  const [listener, transport, address, port, more] = flow.split('/')
  if (transport !== 'udp' || !listener || !address || more !== undefined) return undefined
  return { listener, address, port: Number(port) }
}
