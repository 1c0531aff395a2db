using System.Collections.Concurrent;
using System.Reflection;
using System.Text;
using Xunit.v3;

[assembly: Godwit.Real.Tests.Labs.TellsOfItsLab]

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// A test that fails in a lab tells how the lab stood: its objects, its events, and the ends of its logs, as far as they are of this test's time. Without it a failure on another
/// machine says that something did not happen, and not why.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class TellsOfItsLabAttribute : BeforeAfterTestAttribute
{
    private const int LinesMax = 60;
    private static readonly ConcurrentDictionary<string, LabState> States = new(StringComparer.Ordinal);

    /// <summary>The lab that the running tests' collection shares.</summary>
    public static void Register(GodwitLab lab)
    {
        if (TestContext.Current.TestCollection is { } collection)
        {
            States[collection.UniqueID] = new(lab);
        }
    }

    public override void Before(MethodInfo methodUnderTest, IXunitTest test) => StateOf(test)?.Mark();

    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (TestContext.Current.TestState?.Result == TestResult.Failed && StateOf(test) is { } state)
        {
            TestContext.Current.TestOutputHelper?.WriteLine(Task.Run(state.DescribeAsync).GetAwaiter().GetResult());
        }
    }

    private static LabState? StateOf(IXunitTest test) => States.GetValueOrDefault(test.TestCase.TestCollection.UniqueID);

    private sealed class LabState(GodwitLab lab)
    {
        private readonly Dictionary<string, long> ends = new(StringComparer.Ordinal);

        /// <summary>What comes after this is of the test that begins now.</summary>
        public void Mark()
        {
            foreach (var part in lab.LogNames)
            {
                ends[part] = lab.LogBytes(part);
            }
        }

        public async Task<string> DescribeAsync()
        {
            var text = new StringBuilder("The lab, after the test had failed:\n");
            foreach (var arguments in (string[][])[["get", "nodes,vmis,vmims,groupmigrations,pods", "-A", "-o", "wide"], ["get", "events", "-A", "--sort-by=.lastTimestamp"]])
            {
                var asked = await lab.KubectlAsync(null, arguments);
                text.AppendJoin('\n', $"{asked.Output}{asked.Errors}".Split('\n').TakeLast(LinesMax)).Append('\n');
            }

            foreach (var part in lab.LogNames)
            {
                text.Append($"The log of {part}:\n").AppendJoin('\n', lab.LogOf(part, ends.GetValueOrDefault(part)).Split('\n').TakeLast(LinesMax)).Append('\n');
            }

            return text.ToString();
        }
    }
}
