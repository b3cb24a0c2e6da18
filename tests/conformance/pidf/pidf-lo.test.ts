import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CivicAddress, civicFields } from '@tandem/pidf/civic.ts'
import { type LocationObject, type PidfLoInput, parsePidfLo, writePidfLo } from '@tandem/pidf/pidf-lo.ts'
import { counterClockwise, type Position, type Shape } from '@tandem/pidf/shape.ts'
import fc from 'fast-check'
import { complaint, fixture, fixtures } from './validator.ts'

const entity = 'sip:+14255551001@acme.example'

function written(input: PidfLoInput): string {
  const outcome = writePidfLo(input)
  assert(outcome.kind === 'written', JSON.stringify(outcome))
  return outcome.xml
}

function valid(xml: string): void {
  assert.equal(complaint(xml, 'plain'), undefined, xml)
  assert.equal(complaint(xml, 'strict'), undefined, xml)
}

function first(xml: string): LocationObject {
  const outcome = parsePidfLo(xml)
  assert(outcome.kind === 'ok', JSON.stringify(outcome))
  return outcome.pidfLo.locations[0]
}

const everyField = Object.fromEntries(
  civicFields.map((f) => [f, f === 'country' ? 'US' : `value of ${f}`]),
) as CivicAddress

test('RFC 5139 4, RFC 6848 5.5: every civic field is valid in our order and comes back byte-equal', () => {
  const xml = written({ entity, civic: everyField, language: 'en-US', method: 'Wiremap' })
  valid(xml)
  assert.deepEqual(first(xml).civic, everyField)
  assert.equal(first(xml).language, 'en-US')
})

test('RFC 5139 4: a configuration in the opposite order gives the same document', () => {
  const reversed = Object.fromEntries(Object.entries(everyField).toReversed()) as CivicAddress
  assert.equal(written({ entity, civic: reversed }), written({ entity, civic: everyField }))
})

test('RFC 5139 4: two fields exchanged, a field twice, a wrong name or a wrong country are invalid', () => {
  const xml = written({ entity, civic: everyField })
  const wrong: Record<string, string> = {
    order: xml.replace(/(<ca:RD>.*<\/ca:RD>)(<ca:STS>.*<\/ca:STS>)/, '$2$1'),
    'room before building': xml.replace(
      /(<ca:BLD>.*<\/ca:BLD>)(<ca:UNIT>.*<\/ca:UNIT>)(<ca:ROOM>.*<\/ca:ROOM>)/,
      '$3$1$2',
    ),
    twice: xml.replace(/(<ca:FLR>.*?<\/ca:FLR>)/, '$1$1'),
    name: xml.replaceAll('ca:ROOM>', 'ca:ROM>'),
    case: xml.replaceAll('ca:HNO>', 'ca:hno>'),
    country: xml.replace('>US<', '>usa<'),
    'extension before field': xml.replace(/(<ca:ADDCODE>.*<\/ca:ADDCODE>)(<cae:PN>.*<\/cae:PN>)/, '$2$1'),
    'field of RFC 6848 in the namespace of RFC 5139': xml.replaceAll('cae:PN>', 'ca:PN>'),
  }
  for (const [what, document] of Object.entries(wrong)) {
    assert.notEqual(document, xml, what)
    assert.notEqual(complaint(document), undefined, what)
  }
})

test('a name that no schema knows fails the strict schemas wherever it stands', () => {
  const xml = written({ entity, civic: everyField, shape: shapes.circle })
  for (const [from, to] of [
    ['cae:MP>', 'cae:MILE>'],
    ['ca:civicAddress', 'ca:civicAdress'],
    ['gs:Circle', 'gs:Cirle'],
    ['gp:geopriv', 'gp:geopriv10'],
  ] as const) {
    assert.ok(xml.includes(from), from)
    assert.notEqual(complaint(xml.replaceAll(from, to), 'strict'), undefined, from)
  }
})

test('RFC 4119 2.2.5: the parts of geopriv in another order are invalid', () => {
  const xml = written({
    ...{ entity, civic: { country: 'US' }, method: 'Wiremap', retransmissionAllowed: false },
    ...{ retentionExpiry: '2026-11-24T00:00:00Z', timestamp: '2026-11-23T18:00:00Z' },
    providedBy: { companyId: 'ACME1', telUri: 'tel:+18005550911', url: 'https://acme.example/' },
  })
  valid(xml)
  const swapped = xml.replace(/(<gp:usage-rules>.*<\/gp:usage-rules>)(<gp:method>.*<\/gp:method>)/, '$2$1')
  const policy = xml.replace(/(<gbp:retr.*-allowed>)(<gbp:retention.*<\/gbp:retention-expiry>)/, '$2$1')
  const noRules = xml.replace(/<gp:usage-rules>.*<\/gp:usage-rules>/, '')
  for (const document of [swapped, policy, noRules]) {
    assert.notEqual(document, xml)
    assert.notEqual(complaint(document), undefined)
  }
})

test('what goes in comes back: rules, method, provider, confidence, device', () => {
  const input: PidfLoInput = {
    ...{ entity, id: 'phone', deviceId: 'mac:00-0d-4b-30-72-df', civic: { country: 'US', RD: ' A  B&<>"\n' } },
    ...{
      method: 'Wiremap',
      providedBy: { companyId: 'ACME1', telUri: 'tel:+18005550911' },
      retransmissionAllowed: true,
    },
    ...{ retentionExpiry: '2026-11-24T00:00:00Z', timestamp: '2026-11-23T18:00:00.123Z' },
    ...{ confidence: { percent: 95, pdf: 'normal' as const }, shape: shapes.circle },
  }
  const xml = written(input)
  valid(xml)
  const { entity: _, ...rest } = input
  assert.deepEqual(first(xml), { inside: 'device', ...rest })
})

const at = (latitude: number, longitude: number, altitude?: number): Position =>
  altitude === undefined ? { latitude, longitude } : { latitude, longitude, altitude }

const shapes = {
  point: { kind: 'point', position: at(-34.407, 150.883) },
  'point in space': { kind: 'point', position: at(-34.407, 150.883, 24.8) },
  circle: { kind: 'circle', centre: at(42.5463, -73.2512), radius: 850.24 },
  ellipse: {
    kind: 'ellipse',
    centre: at(42.5463, -73.2512),
    semiMajorAxis: 1275,
    semiMinorAxis: 670,
    orientation: 43.2,
  },
  'arc band': {
    ...{ kind: 'arc-band', centre: at(-43.5723, 153.2176), innerRadius: 3594, outerRadius: 4148 },
    ...{ startAngle: 20, openingAngle: 120 },
  },
  polygon: { kind: 'polygon', ring: [at(43.1, -73.4), at(43.1, -73.2), at(43.3, -73.3), at(43.1, -73.4)] },
  'polygon in space': {
    kind: 'polygon',
    ring: [at(43.1, -73.4, 5), at(43.1, -73.2, 5), at(43.3, -73.3, 5), at(43.1, -73.4, 5)],
  },
  sphere: { kind: 'sphere', centre: at(42.5463, -73.2512, 26.3), radius: 850.24 },
  ellipsoid: {
    ...{ kind: 'ellipsoid', centre: at(42.5463, -73.2512, 26.3), semiMajorAxis: 7.7156, semiMinorAxis: 3.31 },
    ...{ verticalAxis: 28.7, orientation: 90 },
  },
  prism: {
    kind: 'prism',
    base: [
      at(42.5, -73.3, 36.6),
      at(42.5, -73.2, 36.6),
      at(42.6, -73.2, 36.6),
      at(42.6, -73.3, 36.6),
      at(42.5, -73.3, 36.6),
    ],
    height: 2.4,
  },
} as const satisfies Record<string, Shape>

for (const [name, shape] of Object.entries(shapes))
  test(`RFC 5491 5.2: a ${name} is valid and comes back equal`, () => {
    const xml = written({ entity, shape, method: 'GPS' })
    valid(xml)
    assert.deepEqual(first(xml).shape, shape)
  })

test('RFC 5491 5.2: measures in another order, without unit or in the wrong reference system are invalid', () => {
  const arc = written({ entity, shape: shapes['arc band'] })
  const wrong = [
    arc.replace(/(<gs:innerRadius.*<\/gs:innerRadius>)(<gs:outerRadius.*<\/gs:outerRadius>)/, '$2$1'),
    arc.replace(/(<gml:pos>.*<\/gml:pos>)(<gs:innerRadius.*<\/gs:innerRadius>)/, '$2$1'),
    arc.replace(' uom="urn:ogc:def:uom:EPSG::9102"', ''),
    arc.replace('EPSG::4326', 'EPSG::4979'),
    arc.replaceAll('gs:startAngle', 'gs:start'),
    written({ entity, shape: shapes.polygon }).replaceAll('gml:exterior', 'gml:outer'),
    written({ entity, shape: shapes.prism }).replace(/(<gs:base>.*<\/gs:base>)(<gs:height.*<\/gs:height>)/, '$2$1'),
  ]
  for (const document of wrong) assert.notEqual(complaint(document), undefined, document)
})

test('RFC 5491 rule 7: of a compound location the shape comes first', () => {
  const xml = written({ entity, shape: shapes.point, civic: { FLR: '2' } })
  valid(xml)
  assert.ok(xml.indexOf('gml:Point') < xml.indexOf('civicAddress'))
})

test('RFC 5491 5.1: a clockwise ring is written counter-clockwise', () => {
  const ring = shapes.polygon.ring.toReversed()
  assert.deepEqual(first(written({ entity, shape: { kind: 'polygon', ring } })).shape, shapes.polygon)
})

test('a bad shape, address, time or entity is an outcome and not an exception', () => {
  const bad: PidfLoInput[] = [
    { entity },
    { entity: 'no uri', civic: { FLR: '2' } },
    { entity, civic: { country: 'USA' } },
    { entity, civic: {} },
    { entity, civic: { FLR: '2' }, timestamp: 'yesterday' },
    { entity, civic: { FLR: '2' }, retentionExpiry: '2026-02-30T00:00:00Z' },
    { entity, civic: { FLR: '2' }, id: '1' },
    { entity, civic: { FLR: '2' }, language: 'en us' },
    { entity, shape: { kind: 'polygon', ring: [] } },
    { entity, shape: { kind: 'circle', centre: at(1, 2), radius: Number.NaN } },
    { entity, shape: shapes.circle, confidence: { percent: 100 } },
    { entity, civic: { FLR: '2' }, providedBy: { companyId: 'TOOLONG' } },
  ]
  for (const input of bad) assert.equal(writePidfLo(input).kind, 'invalid', JSON.stringify(input))
})

const expected: Record<string, { shape?: Shape['kind']; civic?: CivicAddress; inside?: string }> = {
  'DeviceAndPerson.xml': {
    inside: 'device',
    civic: { country: 'US', A1: 'CA', A3: 'Simi Valley', RD: 'Stonebrook', STS: 'Street', HNO: '311', PC: '93065' },
  },
  'DeviceCircleDynamic1.xml': { shape: 'circle', inside: 'device' },
  'DeviceCircleLocation.xml': { shape: 'circle' },
  'DeviceCircleWithConfidence.xml': { shape: 'circle' },
  'DeviceCivicLocation.xml': {
    civic: {
      country: 'US',
      A1: 'IL',
      A2: 'KANE',
      A3: 'AURORA',
      PRD: 'E',
      RD: 'NEW YORK',
      STS: 'ST',
      HNO: '2106',
      PCN: 'AURORA',
    },
  },
  'DevicePointLocation.xml': { shape: 'point' },
  'PersonDeviceCivicCircleLocation.xml': {
    inside: 'device',
    civic: { country: 'US', A1: 'CA', A3: 'Simi Valley', RD: 'Kay', STS: 'Ave', HNO: '1657', PC: '93063' },
  },
  'RFC5491TupleArcBandLocation.xml': { shape: 'arc-band', inside: 'tuple' },
  'RFC5491TupleCircleLocation.xml': { shape: 'circle' },
  'RFC5491TupleCivicLocation.xml': {
    civic: {
      country: 'US',
      A1: 'New York',
      A3: 'New York',
      A6: 'Broadway',
      HNO: '123',
      LOC: 'Suite 75',
      PC: '10027-0401',
    },
  },
  'RFC5491TupleEllipseLocation.xml': { shape: 'ellipse' },
  'RFC5491TupleEllipsoidLocation.xml': { shape: 'ellipsoid' },
  'RFC5491TuplePolygonCompactLocation.xml': { shape: 'polygon' },
  'RFC5491TuplePolygonLocation.xml': { shape: 'polygon' },
  'RFC5491TuplePrismLocation.xml': { shape: 'prism' },
  'RFC5491TupleSphereLocation.xml': { shape: 'sphere' },
  'RFC6848CivicExtendedExample1.xml': {
    civic: { country: 'UK', A1: 'Devon', A3: 'Monkokehampton', RD: 'Deckport', STS: 'Cross' },
  },
  'RFC6848Figure7Example.xml': {
    civic: { country: 'US', A1: 'CA', A2: 'Sacramento', RD: 'I5', MP: '248', PN: '22-109-689' },
  },
  'RFC6848Figure8Example.xml': {
    civic: { country: 'US', A1: 'CA', A2: 'Sacramento', RD: 'Colorado', HNO: '223', STP: 'Boulevard', HNP: 'A' },
  },
  'RFC6848Section3.4Example.xml': { civic: { country: 'US', A1: 'CA' } },
}
const refusals: Record<string, string> = {
  'DeviceDynamicOnly1.xml': 'no-location',
  // the GML 3.0 of RFC 4119's first example: RFC 5491 4 calls it opaque and inadvisable
  'RFC5491TuplePointLocation.xml': 'no-location',
  'XMLFile1.xml': 'not-well-formed',
  'XMLFile2.xml': 'not-well-formed',
  'e911ws-response.xml': 'not-pidf',
}

for (const name of fixtures('pidf-lo'))
  test(`${name} is read as the RFC means it, also where it breaks the schema`, () => {
    const outcome = parsePidfLo(fixture(`pidf-lo/${name}`))
    const want = expected[name]
    if (!want) {
      assert(outcome.kind === 'refused', JSON.stringify(outcome))
      assert.equal(outcome.reason, refusals[name])
      return
    }
    assert(outcome.kind === 'ok', JSON.stringify(outcome))
    const [best] = outcome.pidfLo.locations
    assert.equal(best.shape?.kind, want.shape)
    assert.deepEqual(best.civic, want.civic)
    if (want.inside) assert.equal(best.inside, want.inside)
    const { inside: _inside, id: _id, extensions: _extensions, ...again } = best
    valid(written({ entity, ...again }))
  })

test('RFC 6848 3.4: elements of other namespaces in the address are kept', () => {
  assert.deepEqual(
    first(fixture('pidf-lo/RFC6848Section3.4Example.xml')).extensions?.map((e) => `${e.name}=${e.value}`),
    ['lamp=2471', 'pylon=AQ-374-4(c)', 'airport=LAX', 'terminal=Tom Bradley', 'concourse=G', 'gate=36B'],
  )
})

test('the presence inside an E911 web service answer of Lync is a location too', () => {
  const [inner] = /<presence .*<\/presence>/.exec(fixture('pidf-lo/e911ws-response.xml')) ?? []
  assert.deepEqual(first(inner ?? '').civic, {
    ...{ country: 'US', A1: 'WA', A3: 'Redmond', RD: '163rd', STS: 'Ave', POD: 'NE', HNO: '3910' },
    ...{ LOC: '30/3351', NAM: 'Microsoft', PC: '98052' },
  })
})

test('L5: a byte order mark is stepped over; a DTD, an entity bomb and a megabyte are refused by name', () => {
  const good = written({ entity, civic: { FLR: '2' } })
  assert.equal(parsePidfLo(`\uFEFF${good}`).kind, 'ok')
  const reason = (xml: string) => {
    const outcome = parsePidfLo(xml)
    return outcome.kind === 'refused' ? outcome.reason : 'ok'
  }
  assert.equal(reason(good.replace('?>', '?><!DOCTYPE presence SYSTEM "http://127.0.0.1/x">')), 'doctype')
  assert.equal(reason(good.replace('?>', '?><!DOCTYPE l [<!ENTITY a "&b;&b;"><!ENTITY b "&c;&c;">]>')), 'doctype')
  assert.equal(reason(good.replace('>2<', `>${'2'.repeat(1_000_000)}<`)), 'too-large')
})

test('a bad ring is an outcome with its reason', () => {
  const xml = written({ entity, shape: shapes.polygon })
  const list = /<gml:posList>.*<\/gml:posList>/
  for (const positions of [
    '',
    '1 2',
    '43.1 -73.4 43.1 -73.2 43.3 -73.3',
    '1 2 3',
    'x y',
    '0 0 1 1 0 1 1 0 0 0',
    'NaN NaN '.repeat(4),
    '1 1 '.repeat(9_000),
  ]) {
    const outcome = parsePidfLo(xml.replace(list, `<gml:posList>${positions}</gml:posList>`))
    assert(outcome.kind === 'refused', positions.slice(0, 40))
    assert.equal(outcome.reason, 'bad-location')
  }
})

const civicValue = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter((v) => !/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u.test(v))
const civic = fc
  .dictionary(fc.constantFrom(...civicFields.filter((f) => f !== 'country')), civicValue, {
    minKeys: 1,
    noNullPrototype: true,
  })
  .map((d) => d as CivicAddress)

test('any civic address is valid and comes back byte-equal', () => {
  fc.assert(
    fc.property(civic, (address) => {
      const xml = written({ entity, civic: address })
      valid(xml)
      assert.deepEqual(first(xml).civic, address)
    }),
    { numRuns: 300 },
  )
})

const degrees = (limit: number) => fc.double({ min: -limit, max: limit, noNaN: true }).map((v) => v + 0)
const length = fc.double({ min: 0, max: 1e7, noNaN: true })
const anyShape: fc.Arbitrary<Shape> = fc
  .record({
    latitude: degrees(89),
    longitude: degrees(179),
    altitude: degrees(9000),
    a: length,
    b: length,
    angle: degrees(360),
    n: fc.integer({ min: 3, max: 15 }),
  })
  .chain(({ latitude, longitude, altitude, a, b, angle, n }) => {
    const centre = { latitude, longitude }
    const above = { ...centre, altitude }
    const corners = Array.from({ length: n }, (_, i) =>
      at(latitude + Math.sin((2 * Math.PI * i) / n) / 2, longitude + Math.cos((2 * Math.PI * i) / n) / 2),
    )
    const ring = counterClockwise([...corners, corners[0] as Position])
    return fc.constantFrom<Shape>(
      { kind: 'point', position: above },
      { kind: 'circle', centre, radius: a },
      { kind: 'ellipse', centre, semiMajorAxis: a, semiMinorAxis: b, orientation: angle },
      {
        kind: 'arc-band',
        centre,
        innerRadius: Math.min(a, b),
        outerRadius: Math.max(a, b),
        startAngle: angle,
        openingAngle: 20,
      },
      { kind: 'polygon', ring },
      { kind: 'sphere', centre: above, radius: a },
      { kind: 'ellipsoid', centre: above, semiMajorAxis: a, semiMinorAxis: b, verticalAxis: b, orientation: angle },
      { kind: 'prism', base: ring.map((p) => ({ ...p, altitude })), height: a + 1 },
    )
  })

test('any shape is valid and comes back equal to the last bit', () => {
  fc.assert(
    fc.property(anyShape, (shape) => {
      const xml = written({ entity, shape })
      valid(xml)
      assert.deepEqual(first(xml).shape, shape)
    }),
    { numRuns: 300 },
  )
})

test('no text makes the reader throw', () => {
  const whole = fixtures('pidf-lo').map((name) => fixture(`pidf-lo/${name}`))
  const cut = fc
    .tuple(fc.constantFrom(...whole), fc.nat(), fc.nat(30), fc.string({ unit: 'binary', maxLength: 8 }))
    .map(
      ([xml, start, length, put]) => xml.slice(0, start % xml.length) + put + xml.slice((start % xml.length) + length),
    )
  fc.assert(
    fc.property(fc.oneof(cut, fc.string({ unit: 'binary' })), (xml) => {
      assert.ok(['ok', 'refused'].includes(parsePidfLo(xml).kind))
    }),
    { numRuns: 1500 },
  )
})
