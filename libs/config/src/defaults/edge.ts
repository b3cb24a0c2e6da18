/** `edge` with its defaults. */
import type { DigestAlgorithm, Edge, Srtp, Written } from '../configuration.ts'
import { parseCollectorUrl, parseListenUrl, parsePortRange } from '../units.ts'
import { each, ms, seconds } from './values.ts'

export function edge(e: Written<'edge'>): Edge {
  const listen = each(e.listen, (name, l) => ({
    name,
    url: l.url,
    ...parseListenUrl(l.url),
    digest: l.digest ?? (['sha-256', 'md5'] as DigestAlgorithm[]),
    certificate: l.certificate ?? null,
    privateKey: l.privateKey ?? null,
    certificates: l.certificates ?? [],
    clients: l.clients ? { ca: l.clients.ca, certificate: l.clients.certificate ?? 'required' } : null,
    advertise: l.advertise ?? null,
    // over a readable way a key in the description protects nothing (RFC 4568 8)
    srtp: l.srtp ?? (parseListenUrl(l.url).transport === 'tls' ? 'optional' : ('off' as Srtp)),
  }))
  const ports = parsePortRange(e.media.ports ?? '20000-29999')
  return {
    listen,
    media: {
      relay: e.media.relay,
      address: e.media.address ?? Object.values(listen)[0]?.address ?? '127.0.0.1',
      firstPort: ports.first,
      lastPort: ports.last,
      control: e.media.control ?? [],
      inactivityMs: ms(e.media.inactivity, 60_000),
    },
    registration: {
      minimumS: seconds(e.registration?.minimum, 60),
      maximumS: seconds(e.registration?.maximum, 3600),
      contacts: e.registration?.contacts ?? 10,
      flowTimerS: seconds(e.registration?.flowTimer, 120),
    },
    sessionTimerS: seconds(e.sessionTimer, 1800),
    interimMs: ms(e.interim, 60_000),
    clusterSecret: e.cluster?.secret ?? null,
    drainMs: ms(e.drain, 30_000),
    calls: e.calls ?? 10_000,
    forks: e.forks ?? 20,
    stir: {
      anchors: e.stir?.anchors ?? [],
      certificates: e.stir?.certificates ?? {},
      repositories: e.stir?.repositories ?? [],
      fetch: { ca: e.stir?.fetch?.ca ?? null, networks: e.stir?.fetch?.networks ?? [] },
    },
    dns: e.dns ?? [],
    capture: e.capture
      ? {
          ...parseCollectorUrl(e.capture.hep),
          id: e.capture.id ?? 2001,
          password: e.capture.password ?? null,
        }
      : null,
  }
}
