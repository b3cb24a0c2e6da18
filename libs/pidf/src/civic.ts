import { isXmlText } from './xml-write.ts'

/** RFC 5139 4: the fields in the order of the schema; a document in any other order is invalid. */
export const civicAddressFields = [
  'country',
  'A1',
  'A2',
  'A3',
  'A4',
  'A5',
  'A6',
  'PRM',
  'PRD',
  'RD',
  'STS',
  'POD',
  'POM',
  'RDSEC',
  'RDBR',
  'RDSUBBR',
  'HNO',
  'HNS',
  'LMK',
  'LOC',
  'FLR',
  'NAM',
  'PC',
  'BLD',
  'UNIT',
  'ROOM',
  'SEAT',
  'PLC',
  'PCN',
  'POBOX',
  'ADDCODE',
] as const

/** RFC 6848 5.5: post number, milepost, street type prefix, house number prefix; after the fields of RFC 5139. */
export const civicExtensionFields = ['PN', 'MP', 'STP', 'HNP'] as const

export const civicFields = [...civicAddressFields, ...civicExtensionFields] as const
export type CivicField = (typeof civicFields)[number]

/** A civic address by the element names of RFC 5139 and RFC 6848. Values are kept byte for byte. */
export type CivicAddress = { readonly [F in CivicField]?: string }

/** Longest value we take, UTF-16 code units: no field of the RFCs has a limit, the bus has one. */
export const CIVIC_VALUE_LENGTH = 256

const known: ReadonlySet<string> = new Set(civicFields)

export function isCivicField(name: string): name is CivicField {
  return known.has(name)
}

export interface CivicProblem {
  readonly field: string
  readonly problem: 'unknown-field' | 'not-text' | 'empty' | 'too-long' | 'bad-character' | 'bad-country'
}

export type CivicOutcome =
  | { readonly kind: 'ok'; readonly address: CivicAddress }
  | { readonly kind: 'invalid'; readonly problems: readonly CivicProblem[] }

/** Checks the fields of an address and puts them in the schema's order. An address without any field is invalid. */
export function checkCivic(fields: Readonly<Record<string, unknown>>): CivicOutcome {
  const problems: CivicProblem[] = []
  for (const [field, value] of Object.entries(fields)) {
    const problem = isCivicField(field) ? valueProblem(field, value) : 'unknown-field'
    if (problem) problems.push({ field, problem })
  }
  if (Object.keys(fields).length === 0) problems.push({ field: 'civic', problem: 'empty' })
  if (problems.length > 0) return { kind: 'invalid', problems }
  return { kind: 'ok', address: inSchemaOrder(fields as CivicAddress) }
}

function valueProblem(field: CivicField, value: unknown): CivicProblem['problem'] | undefined {
  if (typeof value !== 'string') return 'not-text'
  // RFC 5139 3.3: the country is two upper-case letters of ISO 3166-1
  if (field === 'country') return /^[A-Z]{2}$/.test(value) ? undefined : 'bad-country'
  if (value === '') return 'empty'
  if (value.length > CIVIC_VALUE_LENGTH) return 'too-long'
  return isXmlText(value) ? undefined : 'bad-character'
}

/** The same address with its fields in the order of the schema. */
export function inSchemaOrder(address: CivicAddress): CivicAddress {
  const ordered: { -readonly [F in CivicField]?: string } = {}
  for (const field of civicFields) {
    const value = address[field]
    if (value !== undefined) ordered[field] = value
  }
  return ordered
}

/** 47 CFR 9.3 "dispatchable location": a validated street address and, in a large building, floor or room. What is missing? */
export function dispatchableGaps(address: CivicAddress): readonly CivicField[] {
  const street: readonly CivicField[] = ['country', 'A1', 'A3', 'RD', 'HNO', 'PC']
  const gaps = street.filter((field) => address[field] === undefined)
  const inside: readonly CivicField[] = ['FLR', 'UNIT', 'ROOM', 'SEAT']
  if (inside.every((field) => address[field] === undefined)) gaps.push('FLR')
  return gaps
}
