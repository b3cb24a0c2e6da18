/** What an emergency INVITE carries beyond the description (location.md L15; RFC 6442 4.1 and 4.2, RFC 4119). */
import { PIDF_LO_TYPE, writePidfLo } from '@tandem/pidf/pidf-lo.ts'
import { SDP_TYPE, writeMultipart } from './call-body.ts'
import type { WhereCalled } from './emergency-order.ts'

export interface EmergencyBodyQuestion {
  readonly sdp: string | undefined
  readonly where: WhereCalled
  readonly domain: string
  /** Random token for Content-ID and boundary. */
  readonly token: string
  /** RFC 3339. */
  readonly at: string
}

export interface EmergencyBody {
  readonly type: string | undefined
  readonly text: string | undefined
  readonly headers: readonly (readonly [string, string])[]
}

/** Without a place the description goes alone: a bad location never stops the call (L5). */
export function emergencyBody(q: EmergencyBodyQuestion): EmergencyBody {
  const xml = locationOf(q)
  const alone = q.sdp === undefined ? undefined : SDP_TYPE
  if (xml === undefined) return { type: alone, text: q.sdp, headers: [] }
  const cid = `${q.token}@${q.domain}`
  const location = {
    type: PIDF_LO_TYPE,
    text: xml,
    // RFC 6442 4.1: the locationURI is a cid: URL (RFC 2392) that names the body part's Content-ID
    headers: [
      ['Content-ID', `<${cid}>`],
      ['Content-Disposition', 'by-reference;handling=optional'],
    ] as const,
  }
  const parts = q.sdp === undefined ? [location] : [{ type: SDP_TYPE, text: q.sdp }, location]
  const body = writeMultipart(parts, `tandem-${q.token}`)
  return {
    type: body.type,
    text: body.text,
    headers: [
      ['Geolocation', `<cid:${cid}>`],
      // RFC 6442 4.2: servers on the way may route by this location
      ['Geolocation-Routing', 'yes'],
    ],
  }
}

function locationOf({ where, domain, at }: EmergencyBodyQuestion): string | undefined {
  const { place } = where
  if (place === undefined || (place.civic === undefined && place.point === undefined)) return undefined
  const entity = where.callback === undefined ? `pres:anonymous@${domain}` : `tel:${where.callback}`
  const base = { entity, timestamp: at, method: 'Manual' }
  if (place.civic !== undefined) {
    const written = writePidfLo({ ...base, civic: place.civic })
    if (written.kind === 'written') return written.xml
  }
  if (place.point === undefined) return undefined
  const { latitude, longitude, radius } = place.point
  const shape =
    radius === undefined || radius <= 0
      ? ({ kind: 'point', position: { latitude, longitude } } as const)
      : ({ kind: 'circle', centre: { latitude, longitude }, radius } as const)
  const written = writePidfLo({ ...base, shape })
  return written.kind === 'written' ? written.xml : undefined
}
