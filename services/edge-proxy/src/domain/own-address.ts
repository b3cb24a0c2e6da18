/**
 * Several edges run with one configuration, each at an address of its own (TANDEM_EDGE_ADDRESS, in Kubernetes the pod's):
 * it stands in place of the one in the listeners' URLs and of the media. What is advertised stays as it is written.
 */
import type { Configuration } from '@tandem/config/schema.ts'

export function atAddress(configuration: Configuration, address: string | undefined): Configuration {
  if (address === undefined || address === '') return configuration
  const { edge } = configuration
  const shown = address.includes(':') ? `[${address}]` : address
  const listen = Object.fromEntries(
    Object.entries(edge.listen).map(([name, listener]) => [
      name,
      { ...listener, address, url: `${listener.transport}://${shown}:${listener.port}` },
    ]),
  )
  return { ...configuration, edge: { ...edge, listen, media: { ...edge.media, address } } }
}
