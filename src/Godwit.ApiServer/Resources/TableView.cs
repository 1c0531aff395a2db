using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>What of the object goes along with its row.</summary>
internal enum IncludeObject
{
    Metadata,
    Object,
    None,
}

/// <summary>Objects as rows for people: what <c>kubectl get</c> prints. The columns are the kind's, the text is the server's.</summary>
internal sealed class TableView(ServedResource resource, IncludeObject include, TimeProvider clock) : ObjectView
{
    private const string NameDescription = "Name must be unique within a namespace.";

    public static IncludeObject ReadInclude(string text) => text switch
    {
        "" or "Metadata" => IncludeObject.Metadata,
        "Object" => IncludeObject.Object,
        "None" => IncludeObject.None,
        _ => throw StatusException.BadRequest($"includeObject={text} is not one of Metadata, Object, None"),
    };

    public override void WriteObject(IBufferWriter<byte> output, StoredObject item)
    {
        WriteListHead(output, new ListHead(item.Revision, "", 0));
        WriteListItem(output, item);
        WriteListTail(output);
    }

    public override void WriteListHead(IBufferWriter<byte> output, ListHead head)
    {
        WriteListMeta(output, "meta.k8s.io/v1", "Table", head);
        output.Write(",\"columnDefinitions\":"u8);
        using (var writer = new Utf8JsonWriter(output, StoredForm.WriterOptions))
        {
            writer.WriteStartArray();
            if (resource.Definition.NameColumnFirst)
            {
                WriteColumn(writer, "Name", "string", "name", NameDescription, 0);
            }

            foreach (var column in resource.Definition.Columns)
            {
                WriteColumn(writer, column.Name, column.Type, column.Format, column.Description, column.Priority);
            }

            writer.WriteEndArray();
        }

        output.Write(",\"rows\":["u8);
    }

    public override void WriteListItem(IBufferWriter<byte> output, StoredObject item)
    {
        var found = item.Resource.Form.Decode(item.Value.Span, item.Revision);
        output.Write("{\"cells\":"u8);
        using (var cells = new Utf8JsonWriter(output, StoredForm.WriterOptions))
        {
            cells.WriteStartArray();
            WriteCells(cells, found);
            cells.WriteEndArray();
        }

        if (include != IncludeObject.None)
        {
            output.Write(",\"object\":"u8);
        }

        if (include == IncludeObject.Metadata)
        {
            MetadataView.WriteMetadataObject(output, item);
        }
        else if (include == IncludeObject.Object)
        {
            item.Resource.Form.Write(output, item.Value.Span, item.Revision);
        }

        output.Write("}"u8);
    }

    private void WriteCells(Utf8JsonWriter writer, JsonObject found)
    {
        if (resource.Definition.NameColumnFirst)
        {
            writer.WriteStringValue(Meta.Of(found).Name);
        }

        var now = clock.GetUtcNow();
        foreach (var column in resource.Definition.Columns)
        {
            if (column.Cell(found, now) is { } cell)
            {
                cell.WriteTo(writer);
            }
            else
            {
                writer.WriteNullValue();
            }
        }
    }

    private static void WriteColumn(Utf8JsonWriter writer, string name, string type, string format, string description, int priority)
    {
        writer.WriteStartObject();
        writer.WriteString("name"u8, name);
        writer.WriteString("type"u8, type);
        writer.WriteString("format"u8, format);
        writer.WriteString("description"u8, description);
        writer.WriteNumber("priority"u8, priority);
        writer.WriteEndObject();
    }
}
