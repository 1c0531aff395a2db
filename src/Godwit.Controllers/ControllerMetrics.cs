using System.Globalization;
using System.Text;

namespace Godwit.Controllers;

/// <summary>What the controllers count, in Prometheus' text form. One series for each controller: their number is fixed.</summary>
public static class ControllerMetrics
{
    public static string Write(bool isLeading, IReadOnlyDictionary<string, ControllerCounts> counts)
    {
        var text = new StringBuilder();
        Head(text, "godwit_controllers_leading", "gauge", "1 when this process leads, 0 when another one does.");
        text.Append(CultureInfo.InvariantCulture, $"godwit_controllers_leading {(isLeading ? 1 : 0)}\n");
        Series(text, "godwit_controller_looks_total", "counter", "Looks at one object, in this term of leadership.", counts, each => each.Runs);
        Series(text, "godwit_controller_failures_total", "counter", "Looks that failed and are repeated.", counts, each => each.Failures);
        Series(text, "godwit_controller_queue_keys", "gauge", "Objects that wait for a look.", counts, each => each.Waiting);
        return text.ToString();
    }

    private static void Series(
        StringBuilder text, string name, string type, string help, IReadOnlyDictionary<string, ControllerCounts> counts, Func<ControllerCounts, long> value)
    {
        Head(text, name, type, help);
        foreach (var (controller, count) in counts.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"{name}{{controller=\"{controller}\"}} {value(count)}\n");
        }
    }

    private static void Head(StringBuilder text, string name, string type, string help) =>
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");
}
