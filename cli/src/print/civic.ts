/** RFC 5139 fields as an address that people read. */
export function civicLines(civic: Readonly<Record<string, string>>): string[] {
  const join = (...names: string[]) => names.flatMap((n) => civic[n] ?? []).join(' ')
  const street = join('HNO', 'HNS', 'PRM', 'PRD', 'RD', 'STS', 'POD', 'POM')
  const inside = [
    ['BLD', 'building'],
    ['FLR', 'floor'],
    ['UNIT', 'unit'],
    ['ROOM', 'room'],
    ['SEAT', 'seat'],
  ]
    .flatMap(([field, word]) => (field && civic[field] ? [`${word} ${civic[field]}`] : []))
    .join(', ')
  const city = [join('A3'), join('A1', 'PC'), civic.country].filter(Boolean).join(', ')
  return [civic.NAM, street, inside, civic.LOC, city].filter((line): line is string => Boolean(line))
}
