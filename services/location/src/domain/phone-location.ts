/** What a phone itself says of its place: PIDF-LO as a place of ours. A malformed one is no place and stops nothing (L5). */
import type { Place } from '@tandem/contracts/values.ts'
import { type LocationObject, parsePidfLo } from '@tandem/pidf/pidf-lo.ts'
import type { Shape } from '@tandem/pidf/shape.ts'

export type PhoneLocation =
  | { readonly kind: 'place'; readonly place: Place; readonly measured: boolean; readonly at: string | undefined }
  | { readonly kind: 'none'; readonly why: string }

/** Method tokens (IANA) of what was learnt from the network and not typed in. */
const measuredMethods: ReadonlySet<string> = new Set(['dhcp', 'lldp-med', 'wiremap'])

export function phoneLocation(xml: string): PhoneLocation {
  const outcome = parsePidfLo(xml)
  if (outcome.kind === 'refused') return { kind: 'none', why: `${outcome.reason}: ${outcome.detail}`.slice(0, 256) }
  const [best] = outcome.pidfLo.locations
  const place = placeOf(best)
  if (!place) return { kind: 'none', why: 'only a shape that we cannot hand on' }
  return { kind: 'place', place, measured: measuredMethods.has(best.method?.toLowerCase() ?? ''), at: best.timestamp }
}

function placeOf(location: LocationObject): Place | undefined {
  const point = location.shape && pointOf(location.shape)
  const civic = location.civic && boundedCivic(location.civic)
  if (!civic && !point) return undefined
  return { ...(civic ? { civic } : {}), ...(point ? { point } : {}) }
}

/** The bus carries values of 256 characters; a longer one would lose its end, so it is left out whole. */
function boundedCivic(civic: NonNullable<LocationObject['civic']>): Record<string, string> | undefined {
  const fits = Object.entries(civic).filter(([, value]) => value.length <= 256)
  return fits.length > 0 ? Object.fromEntries(fits) : undefined
}

/** The middle and how far off it may be, metres. */
function pointOf(shape: Shape): Place['point'] {
  const at = ({ latitude, longitude }: { latitude: number; longitude: number }, radius?: number) => ({
    ...{ latitude, longitude },
    ...(radius === undefined ? {} : { radius }),
  })
  switch (shape.kind) {
    case 'point':
      return at(shape.position)
    case 'circle':
    case 'sphere':
      return at(shape.centre, shape.radius)
    case 'ellipse':
    case 'ellipsoid':
      return at(shape.centre, Math.max(shape.semiMajorAxis, shape.semiMinorAxis))
    case 'arc-band':
      return at(shape.centre, shape.outerRadius)
    default:
      return undefined
  }
}
