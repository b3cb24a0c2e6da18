import { GML, SHAPES } from './namespaces.ts'
import { counterClockwise, type Position, RING_POSITIONS, type Ring, type Shape, shapeProblems } from './shape.ts'
import { childOf, tokenOf, type XmlElement } from './xml-read.ts'
import { element } from './xml-write.ts'

// RFC 5491 5: coordinate reference systems and units of measure
const CRS_2D = 'urn:ogc:def:crs:EPSG::4326'
const CRS_3D = 'urn:ogc:def:crs:EPSG::4979'
const METRE = 'urn:ogc:def:uom:EPSG::9001'
const DEGREE = 'urn:ogc:def:uom:EPSG::9102'

/** Element name, then its measures in the order of the figures of RFC 5491 5.2. */
const measured = {
  circle: { name: 'Circle', crs: CRS_2D, measures: { radius: METRE } },
  ellipse: {
    name: 'Ellipse',
    crs: CRS_2D,
    measures: { semiMajorAxis: METRE, semiMinorAxis: METRE, orientation: DEGREE },
  },
  'arc-band': {
    name: 'ArcBand',
    crs: CRS_2D,
    measures: { innerRadius: METRE, outerRadius: METRE, startAngle: DEGREE, openingAngle: DEGREE },
  },
  sphere: { name: 'Sphere', crs: CRS_3D, measures: { radius: METRE } },
  ellipsoid: {
    name: 'Ellipsoid',
    crs: CRS_3D,
    measures: { semiMajorAxis: METRE, semiMinorAxis: METRE, verticalAxis: METRE, orientation: DEGREE },
  },
} as const

function coordinates(p: Position): string {
  return p.altitude === undefined ? `${p.latitude} ${p.longitude}` : `${p.latitude} ${p.longitude} ${p.altitude}`
}

function crsOf(p: Position | undefined): string {
  return p?.altitude === undefined ? CRS_2D : CRS_3D
}

function polygon(ring: Ring, srsName: string | undefined): string {
  const list = element('gml:posList', {}, counterClockwise(ring).map(coordinates).join(' '))
  return element('gml:Polygon', { srsName }, element('gml:exterior', {}, element('gml:LinearRing', {}, list)))
}

/** A shape without problems as XML with the prefixes `gml` and `gs`. */
export function writeShape(shape: Shape): string {
  switch (shape.kind) {
    case 'point':
      return element(
        'gml:Point',
        { srsName: crsOf(shape.position) },
        element('gml:pos', {}, coordinates(shape.position)),
      )
    case 'polygon':
      return polygon(shape.ring, crsOf(shape.ring[0]))
    case 'prism':
      return element(
        'gs:Prism',
        { srsName: CRS_3D },
        element('gs:base', {}, polygon(shape.base, undefined)),
        element('gs:height', { uom: METRE }, String(shape.height)),
      )
    default: {
      const { name, crs, measures } = measured[shape.kind]
      const values = shape as unknown as Readonly<Record<string, number>>
      const written = Object.entries(measures).map(([m, uom]) => element(`gs:${m}`, { uom }, String(values[m])))
      return element(`gs:${name}`, { srsName: crs }, element('gml:pos', {}, coordinates(shape.centre)), ...written)
    }
  }
}

export type ShapeOutcome =
  | { readonly kind: 'ok'; readonly shape: Shape }
  | { readonly kind: 'bad'; readonly problems: readonly string[] }

/** Reads an element of `location-info`; undefined when it is no shape at all. Never throws. */
export function readShape(found: XmlElement): ShapeOutcome | undefined {
  const shape = rawShape(found)
  if (shape === undefined) return undefined
  if (typeof shape === 'string') return { kind: 'bad', problems: [shape] }
  const problems = shapeProblems(shape)
  return problems.length > 0 ? { kind: 'bad', problems } : { kind: 'ok', shape }
}

function rawShape(found: XmlElement): Shape | string | undefined {
  if (found.namespace === GML) {
    if (found.name === 'Point') {
      const position = readPosition(childOf(found, GML, 'pos'))
      return position ? { kind: 'point', position } : 'a Point without a position'
    }
    if (found.name === 'Polygon') {
      const ring = readRing(found)
      return typeof ring === 'string' ? ring : { kind: 'polygon', ring }
    }
    // RFC 5491 4: gml:location with gml:coordinates is out of date and opaque
    return found.name === 'location' ? 'gml:location is out of date (RFC 5491 4)' : undefined
  }
  if (found.namespace !== SHAPES) return undefined
  if (found.name === 'Prism') return readPrism(found)
  const kind = (Object.keys(measured) as (keyof typeof measured)[]).find((k) => measured[k].name === found.name)
  return kind ? readMeasured(kind, found) : undefined
}

function readPrism(found: XmlElement): Shape | string {
  const base = childOf(found, SHAPES, 'base')
  const surface = base && childOf(base, GML, 'Polygon')
  const height = readMeasure(childOf(found, SHAPES, 'height'))
  if (!surface || height === undefined) return 'a Prism without base or height'
  const ring = readRing(surface)
  return typeof ring === 'string' ? ring : { kind: 'prism', base: ring, height }
}

function readMeasured(kind: keyof typeof measured, found: XmlElement): Shape | string {
  const centre = readPosition(childOf(found, GML, 'pos'))
  if (!centre) return `a ${found.name} without a position`
  const values: Record<string, number> = {}
  for (const [name, uom] of Object.entries(measured[kind].measures)) {
    const measure = childOf(found, SHAPES, name)
    const value = readMeasure(measure)
    if (value === undefined) return `a ${found.name} without ${name}`
    const unit = measure?.attributes.find((a) => a.name === 'uom')?.value
    if (unit !== undefined && unit !== uom) return `${name} is not in ${uom}`
    values[name] = value
  }
  return { kind, centre, ...values } as unknown as Shape
}

function readMeasure(found: XmlElement | undefined): number | undefined {
  const value = found === undefined ? undefined : numbers(tokenOf(found))
  return value?.length === 1 ? value[0] : undefined
}

/** xs:double without INF and NaN: no place is there. */
function numbers(list: string): number[] | undefined {
  const values = list === '' ? [] : list.split(' ')
  if (!values.every((v) => /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(v))) return undefined
  return values.map(Number)
}

function position(values: readonly number[]): Position {
  const [latitude = Number.NaN, longitude = Number.NaN, altitude] = values
  return altitude === undefined ? { latitude, longitude } : { latitude, longitude, altitude }
}

function readPosition(found: XmlElement | undefined): Position | undefined {
  const values = found === undefined ? undefined : numbers(tokenOf(found))
  return values && (values.length === 2 || values.length === 3) ? position(values) : undefined
}

function readRing(surface: XmlElement): Ring | string {
  const exterior = childOf(surface, GML, 'exterior')
  const line = exterior && childOf(exterior, GML, 'LinearRing')
  if (!line) return 'a Polygon without a ring'
  if (surface.children.length > 1) return 'a Polygon with holes'
  const list = childOf(line, GML, 'posList')
  if (!list) {
    const ring = line.children.map(readPosition)
    return ring.every((p) => p !== undefined) ? ring : 'a ring with a bad position'
  }
  const values = numbers(tokenOf(list))
  const dimension = ringDimension(surface, list, values)
  if (!values || dimension === undefined) return 'a posList that is no list of positions'
  const ring: Position[] = []
  for (let i = 0; i < values.length && ring.length <= RING_POSITIONS; i += dimension)
    ring.push(position(values.slice(i, i + dimension)))
  return ring
}

/** 2 or 3: from srsDimension, else from srsName, else from which of them closes the ring (a prism's base names neither). */
function ringDimension(
  surface: XmlElement,
  list: XmlElement,
  values: readonly number[] | undefined,
): 2 | 3 | undefined {
  if (!values) return undefined
  const named = (name: string) => [list, surface].flatMap((e) => e.attributes).find((a) => a.name === name)?.value
  const said = named('srsDimension') ?? (named('srsName') === CRS_3D ? '3' : named('srsName') === CRS_2D ? '2' : '')
  const closes = (d: 2 | 3) =>
    values.length % d === 0 && values.length >= 2 * d && values.slice(0, d).every((v, i) => v === values.at(i - d))
  if (said === '2' || said === '3') {
    const dimension = said === '2' ? 2 : 3
    return values.length % dimension === 0 ? dimension : undefined
  }
  if (closes(3) || closes(2)) return closes(3) ? 3 : 2
  return values.length % 3 === 0 ? 3 : values.length % 2 === 0 ? 2 : undefined
}
