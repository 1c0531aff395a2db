using System.Globalization;

namespace Godwit.Controllers.Workloads.Jobs;

/// <summary>Sets of indexes as a job's status writes them: <c>1,3-5,7</c>.</summary>
internal static class JobIndexes
{
    /// <summary>The set that a text means, without what is not below <paramref name="limit"/> or no number.</summary>
    public static SortedSet<int> Parse(string? text, int limit)
    {
        var set = new SortedSet<int>();
        foreach (var part in (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var ends = part.Split('-');
            if (TryRead(ends[0], out var first) && TryRead(ends[^1], out var last) && ends.Length <= 2)
            {
                for (var index = first; index <= last && index < limit; index++)
                {
                    set.Add(index);
                }
            }
        }

        return set;
    }

    /// <summary>Three and more in a row are written as a range.</summary>
    public static string Format(SortedSet<int> set)
    {
        var parts = new List<string>();
        var row = new List<int>();
        foreach (var index in set)
        {
            if (row.Count > 0 && row[^1] + 1 != index)
            {
                Close(row, parts);
            }

            row.Add(index);
        }

        Close(row, parts);
        return string.Join(',', parts);
    }

    /// <summary>Which index a pod is to do; null when it does not say so.</summary>
    public static int? Of(Pod pod) => pod.Metadata.Annotations.TryGetValue(JobNames.Index, out var text) && TryRead(text, out var index) ? index : null;

    private static void Close(List<int> row, List<string> parts)
    {
        if (row.Count > 2)
        {
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{row[0]}-{row[^1]}"));
        }
        else
        {
            parts.AddRange(row.Select(index => index.ToString(CultureInfo.InvariantCulture)));
        }

        row.Clear();
    }

    private static bool TryRead(string text, out int index) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out index);
}
