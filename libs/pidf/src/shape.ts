/** RFC 5491 5: the eight shapes. Degrees of WGS 84 (latitude first), metres, angles in degrees clockwise from north. */
export interface Position {
  readonly latitude: number
  readonly longitude: number
  /** Metres above the ellipsoid; with it the position is three-dimensional. */
  readonly altitude?: number
}

export type Ring = readonly Position[]

export type Shape =
  | { readonly kind: 'point'; readonly position: Position }
  | { readonly kind: 'circle'; readonly centre: Position; readonly radius: number }
  | {
      readonly kind: 'ellipse'
      readonly centre: Position
      readonly semiMajorAxis: number
      readonly semiMinorAxis: number
      readonly orientation: number
    }
  | {
      readonly kind: 'arc-band'
      readonly centre: Position
      readonly innerRadius: number
      readonly outerRadius: number
      readonly startAngle: number
      readonly openingAngle: number
    }
  /** The ring is closed: its last position equals its first. */
  | { readonly kind: 'polygon'; readonly ring: Ring }
  | { readonly kind: 'sphere'; readonly centre: Position; readonly radius: number }
  | {
      readonly kind: 'ellipsoid'
      readonly centre: Position
      readonly semiMajorAxis: number
      readonly semiMinorAxis: number
      readonly verticalAxis: number
      readonly orientation: number
    }
  | { readonly kind: 'prism'; readonly base: Ring; readonly height: number }

/** More than this many positions in a ring are refused. RFC 5491 5.1 asks for at most 16 where speed matters. */
export const RING_POSITIONS = 256

/** What is wrong with a shape; empty when nothing is. */
export function shapeProblems(shape: Shape): readonly string[] {
  switch (shape.kind) {
    case 'point':
      return positionProblems(shape.position)
    case 'circle':
      return [...flat(shape.centre), ...lengths(shape, ['radius'])]
    case 'ellipse':
      return [
        ...flat(shape.centre),
        ...lengths(shape, ['semiMajorAxis', 'semiMinorAxis']),
        ...angles(shape, ['orientation']),
      ]
    case 'arc-band':
      return [
        ...flat(shape.centre),
        ...lengths(shape, ['innerRadius', 'outerRadius']),
        ...angles(shape, ['startAngle', 'openingAngle']),
        ...(shape.innerRadius > shape.outerRadius ? ['innerRadius is larger than outerRadius'] : []),
      ]
    case 'polygon':
      return ringProblems(shape.ring)
    case 'sphere':
      return [...solid(shape.centre), ...lengths(shape, ['radius'])]
    case 'ellipsoid':
      return [
        ...solid(shape.centre),
        ...lengths(shape, ['semiMajorAxis', 'semiMinorAxis', 'verticalAxis']),
        ...angles(shape, ['orientation']),
      ]
    case 'prism':
      return [
        ...ringProblems(shape.base),
        ...(shape.base.every((p) => p.altitude !== undefined) ? [] : ['the base of a prism needs an altitude']),
        // RFC 5491 5.2.8: the height of the Prism MUST be a positive value
        ...(Number.isFinite(shape.height) && shape.height > 0 ? [] : ['height is not positive']),
      ]
  }
}

function positionProblems(p: Position): string[] {
  const problems: string[] = []
  if (!(Math.abs(p.latitude) <= 90)) problems.push('latitude is not within -90 to 90')
  if (!(Math.abs(p.longitude) <= 180)) problems.push('longitude is not within -180 to 180')
  if (p.altitude !== undefined && !Number.isFinite(p.altitude)) problems.push('altitude is not a number')
  return problems
}

function flat(p: Position): string[] {
  return [...positionProblems(p), ...(p.altitude === undefined ? [] : ['the centre must be two-dimensional'])]
}

function solid(p: Position): string[] {
  return [...positionProblems(p), ...(p.altitude === undefined ? ['the centre must be three-dimensional'] : [])]
}

function lengths<K extends string>(shape: Readonly<Record<K, number>>, names: readonly K[]): string[] {
  return names.filter((n) => !(Number.isFinite(shape[n]) && shape[n] >= 0)).map((n) => `${n} is not a length`)
}

function angles<K extends string>(shape: Readonly<Record<K, number>>, names: readonly K[]): string[] {
  return names.filter((n) => !(Math.abs(shape[n]) <= 360)).map((n) => `${n} is not an angle`)
}

/** RFC 5491 5.1: closed, no two edges cross, all at one altitude. The direction is not looked at: see `counterClockwise`. */
export function ringProblems(ring: Ring): readonly string[] {
  if (ring.length < 4) return ['a ring needs four positions or more']
  if (ring.length > RING_POSITIONS) return [`a ring of more than ${RING_POSITIONS} positions`]
  const places = ring.flatMap(positionProblems)
  if (places.length > 0) return [places[0] as string]
  const [first, last] = [ring[0] as Position, ring.at(-1) as Position]
  const problems: string[] = []
  if (!same(first, last) || first.altitude !== last.altitude) problems.push('the ring is not closed')
  if (ring.some((p) => p.altitude !== first.altitude)) problems.push('the ring is not at one altitude')
  if (doubleArea(ring) === 0) problems.push('the ring has no area')
  if (crosses(ring)) problems.push('the ring crosses itself')
  return problems
}

function same(a: Position, b: Position): boolean {
  return a.latitude === b.latitude && a.longitude === b.longitude
}

function doubleArea(ring: Ring): number {
  let sum = 0
  for (let i = 0; i + 1 < ring.length; i++) {
    const [a, b] = [ring[i] as Position, ring[i + 1] as Position]
    sum += a.longitude * b.latitude - b.longitude * a.latitude
  }
  return sum
}

/** RFC 5491 5.1: vertices go counter-clockwise (upward normal). A clockwise ring bounds the same area, so it is turned. */
export function counterClockwise(ring: Ring): Ring {
  return doubleArea(ring) < 0 ? ring.toReversed() : ring
}

/** RFC 5491 5.1: a connecting line SHALL NOT cross another one of the same polygon; touching counts as crossing. */
function crosses(ring: Ring): boolean {
  const edges = ring.length - 1
  for (let i = 0; i < edges; i++) {
    const [a, b] = [ring[i] as Position, ring[i + 1] as Position]
    if (same(a, b)) return true
    if (foldsBack(a, b, ring[i + 1 < edges ? i + 2 : 1] as Position)) return true
    for (let j = i + 2; j < edges; j++) {
      if (i === 0 && j === edges - 1) continue
      if (meets(a, b, ring[j] as Position, ring[j + 1] as Position)) return true
    }
  }
  return false
}

/** The next edge lies on this one. */
function foldsBack(a: Position, b: Position, c: Position): boolean {
  const ahead =
    (b.longitude - a.longitude) * (c.longitude - b.longitude) + (b.latitude - a.latitude) * (c.latitude - b.latitude)
  return side(a, b, c) === 0 && ahead < 0
}

function side(a: Position, b: Position, p: Position): number {
  return Math.sign(
    (b.longitude - a.longitude) * (p.latitude - a.latitude) - (b.latitude - a.latitude) * (p.longitude - a.longitude),
  )
}

function within(a: Position, b: Position, p: Position): boolean {
  return (
    Math.min(a.longitude, b.longitude) <= p.longitude &&
    p.longitude <= Math.max(a.longitude, b.longitude) &&
    Math.min(a.latitude, b.latitude) <= p.latitude &&
    p.latitude <= Math.max(a.latitude, b.latitude)
  )
}

function meets(a: Position, b: Position, c: Position, d: Position): boolean {
  const [sc, sd, sa, sb] = [side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)]
  if (sc * sd < 0 && sa * sb < 0) return true
  return (
    (sc === 0 && within(a, b, c)) ||
    (sd === 0 && within(a, b, d)) ||
    (sa === 0 && within(c, d, a)) ||
    (sb === 0 && within(c, d, b))
  )
}
