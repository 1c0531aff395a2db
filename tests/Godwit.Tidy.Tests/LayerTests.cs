using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Godwit.Tidy.Tests;

/// <summary>The layer table in docs/architecture.md is the law; the project files are held to it.</summary>
public sealed partial class LayerTests
{
    private static readonly Dictionary<string, string[]> Allowed = ReadTable();

    [Fact]
    public void Every_project_under_src_stands_in_the_table_and_the_other_way_round()
    {
        var projects = Projects().Select(project => project.Name).ToHashSet(StringComparer.Ordinal);
        Assert.Equal(Allowed.Keys.Order(StringComparer.Ordinal), projects.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_project_imports_only_what_its_row_names()
    {
        foreach (var (name, references) in Projects())
        {
            var more = references.Except(Allowed[name], StringComparer.Ordinal).ToArray();
            Assert.True(more.Length == 0, $"{name} imports {string.Join(", ", more)}, which its row in docs/architecture.md does not allow.");
        }
    }

    [Fact]
    public void Unsafe_code_and_native_imports_live_in_Linux_alone()
    {
        var outside = Tree.CSharp
            .Where(file => file.StartsWith("src/", StringComparison.Ordinal) && !file.StartsWith("src/Godwit.Linux/", StringComparison.Ordinal))
            .Where(file => NativeCode().IsMatch(Tree.Read(file)));
        Assert.Empty(outside);
    }

    private static IEnumerable<(string Name, string[] References)> Projects() =>
        from file in Tree.Files
        where file.StartsWith("src/", StringComparison.Ordinal) && file.EndsWith(".csproj", StringComparison.Ordinal)
        let references = XDocument.Load(Path.Combine(Tree.Root, file)).Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')))
        select (Path.GetFileNameWithoutExtension(file), references.ToArray());

    // Rows look like: | 2 | `Godwit.Client` | sentence | Api |
    private static Dictionary<string, string[]> ReadTable()
    {
        var rows = TableRow().Matches(Tree.Read("docs/architecture.md"));
        var table = new Dictionary<string, string[]>(StringComparer.Ordinal);
        foreach (var row in rows.Where(row => row.Groups["name"].Value.StartsWith("Godwit.", StringComparison.Ordinal)))
        {
            var may = row.Groups["may"].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .Where(word => word != "nothing").Select(word => $"Godwit.{word}").Append("Godwit.Base");
            table.Add(row.Groups["name"].Value, [.. may]);
        }

        return table;
    }

    [GeneratedRegex(@"^\|\s*\d\s*\|\s*`(?<name>[^`]+)`\s*\|[^|]*\|\s*(?<may>[^|]*?)\s*\|\s*$", RegexOptions.Multiline, 1000)]
    private static partial Regex TableRow();

    [GeneratedRegex(@"\[(DllImport|LibraryImport)|\bunsafe\b\s*(\{|static|void|struct|class)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NativeCode();
}
