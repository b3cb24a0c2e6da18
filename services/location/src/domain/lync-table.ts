/** The location database of Lync Server as its CSV files have it (Set-CsLisWirelessAccessPoint and its sisters). */

import { type CivicAddress, type CivicField, checkCivic } from '@tandem/pidf/civic.ts'
import { parse } from 'csv-parse/sync'
import { readNetwork } from './network-table.ts'
import { bssidPattern } from './wire-address.ts'
import type { WireRow } from './wiremap.ts'

export type LyncKind = 'waps' | 'ports' | 'switches' | 'subnets'

export interface LyncRow {
  /** Line of the file, from 1; the header is line 1. */
  readonly line: number
  readonly wire: WireRow<CivicAddress>
  readonly description: string
}

export interface LyncTable {
  readonly rows: readonly LyncRow[]
  readonly problems: readonly { readonly line: number; readonly problem: string }[]
}

/** Lync's column → RFC 5139. `Location` is the place inside (20 characters in Lync, not cut here). */
const columns: Readonly<Record<string, CivicField>> = {
  Location: 'LOC',
  CompanyName: 'NAM',
  HouseNumber: 'HNO',
  HouseNumberSuffix: 'HNS',
  PreDirectional: 'PRD',
  StreetName: 'RD',
  StreetSuffix: 'STS',
  PostDirectional: 'POD',
  City: 'A3',
  State: 'A1',
  PostalCode: 'PC',
  Country: 'country',
}

const ROWS = 1_000_000

/** Never throws: what cannot be read is a problem with its line, the rest is taken. */
export function readLyncTable(kind: LyncKind, csv: string): LyncTable {
  const problems: { line: number; problem: string }[] = []
  const rows: LyncRow[] = []
  let records: Record<string, string>[]
  try {
    records = parse(csv, {
      bom: true,
      columns: true,
      skip_empty_lines: true,
      relax_column_count: true,
      trim: true,
      to: ROWS,
    })
  } catch (error) {
    return {
      rows,
      problems: [{ line: 1, problem: `not CSV: ${error instanceof Error ? error.message : String(error)}` }],
    }
  }
  for (const [i, record] of records.entries()) {
    const line = i + 2
    const civic = civicOf(record)
    const wire = wireOf(kind, record)
    if (typeof wire === 'string') problems.push({ line, problem: wire })
    else if (civic.kind === 'invalid')
      problems.push({ line, problem: civic.problems.map((p) => `${p.field}: ${p.problem}`).join(', ') })
    else rows.push({ line, wire: { ...wire, location: civic.address }, description: record.Description ?? '' })
  }
  return { rows, problems }
}

function civicOf(record: Readonly<Record<string, string>>) {
  const fields: Record<string, string> = {}
  for (const [column, field] of Object.entries(columns)) if (record[column]) fields[field] = record[column]
  return checkCivic(fields)
}

function wireOf(kind: LyncKind, record: Readonly<Record<string, string>>): Omit<WireRow<never>, 'location'> | string {
  const { BSSID = '', ChassisID = '', PortID = '', Subnet = '' } = record
  switch (kind) {
    case 'waps':
      return bssidPattern(BSSID) ? { bssid: BSSID } : `${BSSID || 'an empty cell'} is no BSSID`
    case 'ports':
      return ChassisID && PortID ? { chassis: ChassisID, port: PortID } : 'ChassisID or PortID is empty'
    case 'switches':
      return ChassisID ? { chassis: ChassisID } : 'ChassisID is empty'
    case 'subnets':
      return subnetOf(Subnet)
  }
}

/** Lync names a subnet by its address alone and lets the client mask its own: without a length, a.b.c.0 is taken as a /24. */
function subnetOf(written: string): { subnet: string } | string {
  const network = readNetwork(written)
  if (!network) return `${written || 'an empty cell'} is no subnet`
  const bare = !written.includes('/')
  if (!bare) return { subnet: written }
  return network.bytes.length === 4 && network.bytes[3] === 0
    ? { subnet: `${written}/24` }
    : `${written} has no prefix length and does not end in .0`
}
