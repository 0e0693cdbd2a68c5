/** The numbers at the pin as a table, for who reads tables and not bars. */

import { useView } from "./context.ts";

export function PinTable() {
  const table = useView().at_pin.value;
  if (!table) return null;
  return (
    <table class="as-said as-pin-table">
      <caption>{table.caption}</caption>
      <thead>
        <tr>
          <th scope="col">word</th>
          <th scope="col">attention</th>
        </tr>
      </thead>
      <tbody>
        {table.rows.map(([word, value], i) => (
          <tr key={i}>
            <th scope="row">{word}</th>
            <td>{value}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
