/**
 * Certificates of callers' carriers from their repositories (RFC 8224 7.2): by https alone, no redirects, bounded in time
 * and size, and from nowhere inside the house: what DNS says is looked at before the connection, so that a name cannot
 * lead to a private address either.
 */
import { lookup as lookUp } from 'node:dns'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import type { StirFetch } from '@tandem/config/defaults.ts'
import ipaddr from 'ipaddr.js'

/** All of it: DNS, TLS, the answer. ms */
const FETCH_MS = 5_000
const MOST_BYTES = 65_536
/** Without Cache-Control, ms. */
const KEEP_MS = 3_600_000
const SHORTEST_MS = 60_000
const LONGEST_MS = 86_400_000

export interface FetchedText {
  readonly text: string
  readonly keepMs: number
}

/** `ca`: PEM of the authorities of the repositories; undefined: those of the system. Rejects with what was wrong. */
export function fetchCertificates(
  url: string,
  { networks }: Pick<StirFetch, 'networks'>,
  ca: string | undefined,
  limitMs = FETCH_MS,
): Promise<FetchedText> {
  const { protocol, hostname, port, pathname, search } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  if (protocol !== 'https:') return Promise.reject(new Error('only https is fetched'))
  // an address is not looked up
  if (isIP(host) !== 0 && !mayReach(host, networks)) return Promise.reject(new Error(`${host} is a private address`))
  return new Promise((done, fail) => {
    const asked = request(
      {
        ...{ host, port: port || 443, path: `${pathname}${search}`, agent: false },
        ...(isIP(host) === 0 ? { servername: host } : {}),
        ...(ca === undefined ? {} : { ca }),
        headers: { accept: 'application/pem-certificate-chain, application/pkix-cert;q=0.5, */*;q=0.1' },
        signal: AbortSignal.timeout(limitMs),
        lookup: publicOnly(networks),
      },
      (response) => read(response).then(done, fail),
    )
    asked.on('error', fail)
    asked.end()
  })
}

async function read(response: IncomingMessage): Promise<FetchedText> {
  if (response.statusCode !== 200) {
    response.destroy()
    throw new Error(`the answer is ${response.statusCode}`)
  }
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    size += piece.length
    // leaving the loop ends the connection
    if (size > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes`)
    pieces.push(piece)
  }
  return { text: Buffer.concat(pieces).toString('latin1'), keepMs: keepMs(response.headers['cache-control']) }
}

/** RFC 9111 5.2.2, within bounds of our own. */
function keepMs(control: string | undefined): number {
  if (control === undefined) return KEEP_MS
  if (/\bno-(store|cache)\b/i.test(control)) return SHORTEST_MS
  const age = /\bmax-age="?(\d{1,9})\b/i.exec(control)?.[1]
  return age === undefined ? KEEP_MS : Math.min(Math.max(Number(age) * 1000, SHORTEST_MS), LONGEST_MS)
}

function publicOnly(networks: StirFetch['networks']): LookupFunction {
  return (host, options, done) => {
    lookUp(host, { ...options, all: true }, (error, found) => {
      if (error) return done(error, '')
      const [first, ...others] = found.filter(({ address }) => mayReach(address, networks))
      if (first === undefined) return done(new Error(`${host} is at a private address`), '')
      if (options.all) done(null, [first, ...others])
      else done(null, first.address, first.family)
    })
  }
}

/** Addresses of the Internet, and those that the configuration says. */
function mayReach(address: string, networks: StirFetch['networks']): boolean {
  const at = ipaddr.process(address)
  if (at.range() === 'unicast') return true
  return networks.some((network) => {
    const [base, bits] = ipaddr.parseCIDR(
      network.includes('/') ? network : `${network}/${network.includes(':') ? 128 : 32}`,
    )
    return base.kind() === at.kind() && at.match(base, bits)
  })
}
