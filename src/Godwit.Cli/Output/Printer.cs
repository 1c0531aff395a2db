using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Api.Meta.V1;
using Spectre.Console;

namespace Godwit.Cli.Output;

/// <summary>A column of a table: its heading, its cell for an object, and whether only <c>-o wide</c> shows it.</summary>
internal sealed record Column<T>(string Heading, Func<T, string> Cell, bool Wide = false);

/// <summary>Writes answers in the form that was asked for.</summary>
internal sealed class Printer(CliEnvironment environment, OutputFormat format)
{
    // For people and files, not for web pages: quotes and angle brackets stay readable.
    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" };

    /// <summary>One object: as JSON, YAML or a name, or what <paramref name="describe"/> writes for people.</summary>
    public void Object<T>(T resource, Action<TextWriter> describe)
        where T : Resource, IResource<T>
    {
        if (format is OutputFormat.Table or OutputFormat.Wide)
        {
            describe(environment.Output);
        }
        else if (format == OutputFormat.Name)
        {
            environment.Output.WriteLine(NameOf(resource));
        }
        else
        {
            Document(GodwitJson.ToObject(resource));
        }
    }

    /// <summary>A list: the objects themselves, or a table of <paramref name="rows"/>.</summary>
    public void List<T, TRow>(ResourceList<T> list, IEnumerable<TRow> rows, IReadOnlyList<Column<TRow>> columns)
        where T : Resource, IResource<T>
    {
        if (format is OutputFormat.Table or OutputFormat.Wide)
        {
            Table(rows, columns);
        }
        else if (format == OutputFormat.Name)
        {
            foreach (var item in list.Items)
            {
                environment.Output.WriteLine(NameOf(item));
            }
        }
        else
        {
            Document(GodwitJson.ToObject(list));
        }
    }

    public void Table<TRow>(IEnumerable<TRow> rows, IReadOnlyList<Column<TRow>> columns)
    {
        var shown = columns.Where(column => !column.Wide || format == OutputFormat.Wide).ToList();
        var table = new Table().NoBorder();
        foreach (var column in shown)
        {
            table.AddColumn(new TableColumn(new Text(column.Heading)).NoWrap().Padding(0, 0, 3, 0));
        }

        foreach (var row in rows)
        {
            table.AddRow(shown.Select(column => new Text(column.Cell(row))));
        }

        // Rendered wide and without colour, then cut free of the padding: the same text on a terminal and in a file.
        var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(text) });
        console.Profile.Width = 4096;
        console.Write(table);
        foreach (var line in text.ToString().TrimEnd('\n').Split('\n'))
        {
            environment.Output.WriteLine(line.TrimEnd());
        }
    }

    public void Document(JsonNode json)
    {
        if (format == OutputFormat.Yaml)
        {
            environment.Output.Write(YamlText.Of(json));
        }
        else
        {
            environment.Output.WriteLine(ToIndentedText(json));
        }
    }

    private static string ToIndentedText(JsonNode json)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Indented))
        {
            json.WriteTo(writer);
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static string NameOf<T>(T resource)
        where T : Resource, IResource<T> => $"{T.Type.Kind.ToLowerInvariant()}/{resource.Metadata.Name}";
}
