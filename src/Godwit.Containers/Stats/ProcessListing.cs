using System.Globalization;

namespace Godwit.Containers.Stats;

/// <summary>The table of ps(1), less the processes of others.</summary>
internal static class ProcessListing
{
    /// <exception cref="InvalidRequestException">It has no column of process ids.</exception>
    internal static ProcessTable Parse(string text, IReadOnlySet<int> wanted)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var titles = lines.Length == 0 ? [] : lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var column = Array.IndexOf(titles, "PID");
        if (column < 0)
        {
            throw new InvalidRequestException("Couldn't find PID field in ps output");
        }

        var rows = new List<IReadOnlyList<string>>();
        foreach (var line in lines.Skip(1))
        {
            // The last column is a command, with blanks in it.
            var fields = line.Split(' ', titles.Length, StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length > column && int.TryParse(fields[column], NumberStyles.None, CultureInfo.InvariantCulture, out var id) && wanted.Contains(id))
            {
                rows.Add(fields);
            }
        }

        return new ProcessTable(titles, rows);
    }
}
