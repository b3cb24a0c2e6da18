import assert from 'node:assert/strict'
import { test } from 'node:test'
import { counterClockwise, type Position, ringProblems, type Shape, shapeProblems } from '../src/shape.ts'

const at = (latitude: number, longitude: number, altitude?: number): Position =>
  altitude === undefined ? { latitude, longitude } : { latitude, longitude, altitude }
const square = [at(0, 0), at(0, 1), at(1, 1), at(1, 0), at(0, 0)]

test('a closed, simple ring has no problem in either direction', () => {
  assert.deepEqual(ringProblems(square), [])
  assert.deepEqual(ringProblems(square.toReversed()), [])
})

test('a clockwise ring is turned, a counter-clockwise one stays (RFC 5491 5.1)', () => {
  assert.deepEqual(counterClockwise(square), square)
  assert.deepEqual(counterClockwise(square.toReversed()), square)
})

test('every bad ring has a problem (RFC 5491 5.1)', () => {
  const bad: Record<string, Position[]> = {
    empty: [],
    'too short': [at(0, 0), at(0, 1), at(0, 0)],
    'not closed': [at(0, 0), at(0, 1), at(1, 1), at(1, 0)],
    'bow tie': [at(0, 0), at(1, 1), at(0, 1), at(1, 0), at(0, 0)],
    'without area': [at(0, 0), at(0, 1), at(0, 2), at(0, 0)],
    'a repeated vertex': [at(0, 0), at(0, 1), at(0, 1), at(1, 1), at(0, 0)],
    'a spike': [at(0, 0), at(0, 2), at(0, 1), at(1, 1), at(0, 0)],
    'a spike at the start': [at(0, 1), at(0, 2), at(1, 1), at(0, 0), at(0, 3), at(0, 1)],
    'touching itself': [at(0, 0), at(0, 2), at(1, 1), at(0, 1), at(1, 0), at(0, 0)],
    'two altitudes': [at(0, 0, 1), at(0, 1, 1), at(1, 1, 2), at(1, 0, 1), at(0, 0, 1)],
    'off the Earth': [at(0, 0), at(0, 1), at(91, 1), at(1, 0), at(0, 0)],
    'not a number': [at(0, 0), at(0, Number.NaN), at(1, 1), at(1, 0), at(0, 0)],
    'too long': [...Array.from({ length: 300 }, (_, i) => at(Math.sin(i / 50), Math.cos(i / 50))), at(0, 1)],
  }
  for (const [name, ring] of Object.entries(bad)) assert.notDeepEqual(ringProblems(ring), [], name)
})

test('measures and dimensions are checked for every shape', () => {
  const centre = at(42.5, -73.2)
  const high = at(42.5, -73.2, 10)
  const bad: Shape[] = [
    { kind: 'point', position: at(100, 0) },
    { kind: 'point', position: at(0, 0, Number.POSITIVE_INFINITY) },
    { kind: 'circle', centre: high, radius: 1 },
    { kind: 'circle', centre, radius: -1 },
    { kind: 'ellipse', centre, semiMajorAxis: 1, semiMinorAxis: Number.NaN, orientation: 0 },
    { kind: 'arc-band', centre, innerRadius: 5, outerRadius: 4, startAngle: 0, openingAngle: 10 },
    { kind: 'arc-band', centre, innerRadius: 1, outerRadius: 4, startAngle: 0, openingAngle: 1000 },
    { kind: 'sphere', centre, radius: 1 },
    { kind: 'ellipsoid', centre: high, semiMajorAxis: 1, semiMinorAxis: 1, verticalAxis: -1, orientation: 0 },
    { kind: 'prism', base: square, height: 2 },
    { kind: 'prism', base: square.map((p) => ({ ...p, altitude: 3 })), height: 0 },
  ]
  for (const shape of bad) assert.notDeepEqual(shapeProblems(shape), [], JSON.stringify(shape))
  assert.deepEqual(shapeProblems({ kind: 'prism', base: square.map((p) => ({ ...p, altitude: 3 })), height: 2.4 }), [])
})
